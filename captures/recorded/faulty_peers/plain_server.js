// SPDX-License-Identifier: GPL-2.0-or-later
// A server that has nothing to do with Engine.IO: a REST service over HTTP (and over HTTPS, given
// tls: {key, cert}), and on WebSocket a room where every message goes to everyone.
//   greeting  what the WebSocket server says to each newcomer
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");
const { WebSocketServer, WebSocket } = require("ws");
const { plan, log } = require("./plan");

const things = [{ id: 1, name: "lamp" }, { id: 2, name: "fan" }];

const rest = (request, response) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(request.method === "GET" ? things : { ok: true }));
};

const server = http.createServer(rest);
const room = new WebSocketServer({ server });
room.on("connection", (ws) => {
  log("a WebSocket client came");
  ws.on("close", (code) => log("it left, code", code));
  if (plan.greeting) {
    ws.send(plan.greeting);
  }
  ws.on("message", (data) => {
    for (const member of room.clients) {
      if (member.readyState === WebSocket.OPEN) {
        member.send(data.toString());
      }
    }
  });
});

if (plan.tls) {
  const [key, cert] = [plan.tls.key, plan.tls.cert].map((path) => fs.readFileSync(path));
  https.createServer({ key, cert }, rest).listen(3443);
}
server.listen(3000, () => console.log("LISTENING"));
