// SPDX-License-Identifier: GPL-2.0-or-later
// A socket.io server in clear or over TLS, with a page for browsers: node server.js PLAN
//   {"port", "cert", "key", "maxVersion", "options": of socket.io, "page": {"url", "options": of socket.io-client}}
"use strict";

const fs = require("fs");
const plan = JSON.parse(process.argv[2]);

const page = plan.page && `<!doctype html><title>run</title><script src="/socket.io/socket.io.js"></script><script>
const socket = io(${JSON.stringify(plan.page.options || {})});
socket.on("hello", (text) => {
  socket.emit("add", 2, 3, () => {
    socket.emit("bytes", new Uint8Array([1, 2, 3]).buffer);
    setTimeout(() => { socket.close(); setTimeout(() => { document.title = "done"; }, 200); }, ${plan.page.stay || 1500});
  });
});
</script>`;

function answer(request, response) {
  if (page && request.url === "/page") {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(page);
  } else {
    response.writeHead(404);
    response.end();
  }
}

const tls = plan.cert && { cert: fs.readFileSync(plan.cert), key: fs.readFileSync(plan.key) };
const server = tls
  ? require("https").createServer({ ...tls, maxVersion: plan.maxVersion || "TLSv1.3" }, answer)
  : require("http").createServer(answer);
const { Server } = require("socket.io");
const io = new Server(server, { pingInterval: 1000, pingTimeout: 800, ...plan.options });
io.on("connection", (socket) => {
  socket.emit("hello", "from the server");
  socket.on("add", (a, b, reply) => reply(a + b));
  socket.on("bytes", (bytes) => console.log("LOG bytes", bytes.length));
  socket.on("disconnect", (reason) => console.log("LOG disconnect", reason));
});
server.listen(plan.port, () => console.log("LISTENING"));
