// SPDX-License-Identifier: GPL-2.0-or-later
// A server of HTTP/2 over TLS that knows no HTTP/1.1, so that a WebSocket cannot be opened to it, and
// that has one page: node h2_only.js {"port", "cert", "key", "page"}
"use strict";
const fs = require("fs");
const http2 = require("http2");
const plan = JSON.parse(process.argv[2]);

const server = http2.createSecureServer({ cert: fs.readFileSync(plan.cert), key: fs.readFileSync(plan.key) });
server.on("stream", (stream) => {
  stream.respond({ ":status": 200, "content-type": "text/html" });
  stream.end(plan.page);
});
server.listen(plan.port, () => console.log("LISTENING"));
