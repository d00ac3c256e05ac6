// SPDX-License-Identifier: GPL-2.0-or-later
// Serves a page with the browser build of socket.io-client, on a port that is not recorded, and
// prints what the page reports. Its plan:
//   host, port      of the page
//   library         the file of socket.io-client
//   url, options    for io()
//   binary          the page emits bytes, not text
//   lifeMs          says so long after its load that it is done
"use strict";
const fs = require("fs");
const http = require("http");
const { plan, log } = require("./plan");

const script = `
  const said = [];
  const tell = (word) => fetch("/log", { method: "POST", body: word });
  const socket = io(${JSON.stringify(plan.url)}, ${JSON.stringify(plan.options || {})});
  socket.on("connect", () => {
    tell("connected");
    socket.emit("hello", ${plan.binary ? "new Uint8Array([1, 2, 3, 4]).buffer" : '"word"'});
  });
  socket.on("greeting", (word) => tell("greeting " + word));
  socket.on("disconnect", (reason) => tell("disconnect: " + reason));
  socket.on("connect_error", (error) => tell("connect_error: " + error.message));
  setTimeout(() => tell("DONE"), ${plan.lifeMs});
`;
const page = `<!doctype html><meta charset="utf-8"><title>client</title>
<script src="/library.js"></script><script>${script}</script>`;

http
  .createServer((request, response) => {
    if (request.url === "/log") {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => {
        log(text);
        response.end();
      });
    } else if (request.url === "/library.js") {
      response.setHeader("Content-Type", "text/javascript; charset=utf-8");
      response.end(fs.readFileSync(plan.library));
    } else {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(request.url === "/" ? page : "");
    }
  })
  .listen(plan.port, plan.host, () => console.log("LISTENING"));
