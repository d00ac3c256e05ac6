// SPDX-License-Identifier: GPL-2.0-or-later
// A server of socket.io and of the page that visits it; see record_har.py.
"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const { Server } = require("socket.io");

const plan = JSON.parse(process.argv[2]);
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script src="SCRIPT"></script><script>${plan.page}</script>`;

const page = PAGE.replace("SCRIPT", plan.script);

function serve(request, response) {
  if (request.url === "/") {
    response.setHeader("Content-Type", "text/html");
    if (plan.cookie) response.setHeader("Set-Cookie", plan.cookie);
    response.end(page);
  } else {
    response.statusCode = 404;
    response.end();
  }
}

function socketio(server) {
  new Server(server, plan.options || {}).on("connection", (socket) => {
    socket.on("question", (text, answer) => answer(text.length));
    socket.on("picture", (bytes, answer) => answer(bytes));
    socket.emit("news", { headline: "served" });
    if (plan.dieAfterMs) setTimeout(() => process.exit(0), plan.dieAfterMs);
  });
}

const scripts = http.createServer((request, response) => {
  response.setHeader("Content-Type", "application/javascript");
  response.end(fs.readFileSync(plan.client));
});
const pages = http.createServer(serve);
socketio(pages);
const others = http.createServer((request, response) => response.end());
socketio(others);
const listening = [pages.listen(3000), others.listen(3001), scripts.listen(3080)];
if (plan.key) {
  const tls = https.createServer({ key: fs.readFileSync(plan.key), cert: fs.readFileSync(plan.cert) });
  socketio(tls);
  listening.push(tls.listen(3443));
}
Promise.all(listening.map((one) => new Promise((done) => one.on("listening", done)))).then(() =>
  console.log("LISTENING"),
);
