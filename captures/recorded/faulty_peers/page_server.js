// SPDX-License-Identifier: GPL-2.0-or-later
// A web server that answers every request alike, a WebSocket's too. Its plan:
//   status, headers, body   the answer
"use strict";
const http = require("http");
const { plan } = require("./plan");

const answer = (request, response) => {
  response.writeHead(plan.status || 200, plan.headers || {});
  response.end(plan.body || "");
};
http.createServer(answer).listen(3000, () => console.log("LISTENING"));
