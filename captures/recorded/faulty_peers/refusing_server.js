// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server, of whatever version NODE_PATH holds, that makes it hard to get in. Its plan:
//   port          3000 unless given
//   options       for the Server of socket.io
//   express       an application of Express answers what Socket.IO does not
//   cookie        handshakes without this cookie ("name=value") are refused
//   refusals      so many handshakes are refused, then all are let in
//   middlewareMs  a middleware of Engine.IO (6.4) takes so long for each handshake
//   holdMs        each handshake holds the event loop so long
//   page          an HTML page for whatever Socket.IO does not answer
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log, sleep, holdEventLoop, answers } = require("./plan");

const Server = module_.Server || module_; // 2.x exports the class itself
const makeApp = () => {
  const app = require("express")();
  app.get("/api", (request, response) => response.json({ ok: true }));
  return app;
};
const servePage = (request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(plan.page);
};
const server = http.createServer(plan.express ? makeApp() : plan.page ? servePage : undefined);
const options = { ...plan.options };

let refusals = plan.refusals || 0;
const letsIn = (request) => {
  holdEventLoop(plan.holdMs || 0);
  refusals -= 1;
  return !(plan.cookie && !(request.headers.cookie || "").includes(plan.cookie)) && refusals < 0;
};
if (plan.cookie || plan.refusals || plan.holdMs) {
  options.allowRequest = (request, decide) => {
    const may = letsIn(request);
    decide(may ? null : "login first", may);
  };
}
const io = new Server(server, options);
if (plan.middlewareMs) {
  io.engine.use(async (request, response, next) => {
    if (!request._query || !request._query.sid) {
      await sleep(plan.middlewareMs);
    }
    next();
  });
}

io.on("connection", answers);
io.engine.on("connection_error", (error) => log("refused:", error.code, error.message));

server.listen(plan.port || 3000, () => console.log("LISTENING"));
