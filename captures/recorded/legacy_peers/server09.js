// SPDX-License-Identifier: GPL-2.0-or-later
// A server of Socket.IO 0.9 that uses all of it: events, acknowledgements, messages, JSON, a namespace,
// one that refuses everybody. On a second port it serves the page for a browser (see page09.html).

"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");
const { config, watch } = require("./common.js");

const io = require("socket.io");
watch(io.parser, "server");

const server = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
const manager = io.listen(server, {
  log: false,
  "flash policy server": false,
  "heartbeat interval": 1,
  "polling duration": 1,
  ...config.options,
});

manager.sockets.on("connection", (socket) => {
  socket.emit("welcome", { text: "안녕하세요 👋🏽", tags: ["방", "🌡️"], none: null });
  socket.emit("bare");
  socket.send("plain: text ☕ with: colons");
  socket.json.send({ answer: 42, list: [1, "둘", null] });
  socket.on("ask", (text, reply) => reply(`답: ${text}`, { length: text.length }));
  socket.on("message", (text, reply) => {
    socket.emit("heard", text);
    if (reply) reply("heard it");
  });
  socket.on("question me", () => {
    socket.emit("question", "이름이 뭐예요? 🙋", (name) => socket.emit("name", name));
  });
});
manager.of("/chat").on("connection", (socket) => {
  socket.on("chat message", (text) => manager.of("/chat").emit("chat message", text));
});
manager.of("/secret").authorization((_, done) => done(null, false));

server.listen(config.port, "0.0.0.0", () => {
  if (!config.page) return console.log("LISTENING");
  const client = fs.readFileSync(path.join(path.dirname(require.resolve("socket.io-client")), "../dist/socket.io.js"));
  const page = fs.readFileSync(path.join(__dirname, "page09.html"));
  const pages = http.createServer((request, response) => {
    if (request.method !== "POST") return response.end(request.url === "/socket.io.js" ? client : page);
    request.pipe(fs.createWriteStream(config.page_truth)).on("finish", () => {
      response.end();
      console.log("PAGE DONE");
    });
  });
  pages.listen(config.port + 1, "0.0.0.0", () => console.log("LISTENING"));
});
