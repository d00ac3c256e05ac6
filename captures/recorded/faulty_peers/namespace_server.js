// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server, of whatever version NODE_PATH holds, with namespaces. Its plan:
//   options     for the Server
//   namespaces  what it has beside the main one
//   workers     so many processes (Node's cluster module, which hands out connections in turn)
//   token       a client whose auth (in 2.x: its query) holds another token is refused
//   greets      sends "news" to each client
//   throwOut    {afterMs, times}: disconnects clients from their namespace, these many
//   dropMs      closes the connection of each client so long after it has joined, without a word
//   admin       the option auth of @socket.io/admin-ui; a password in it is in clear
"use strict";
const cluster = require("cluster");
const module_ = require("socket.io");
const { plan, log, answers } = require("./plan");

const serve = () => {
  const Server = module_.Server || module_; // 2.x exports the class itself
  const io = new Server(3000, plan.options);
  let thrownOut = 0;

  for (const name of ["/", ...(plan.namespaces || [])]) {
    const namespace = io.of(name);
    if (plan.token) {
      namespace.use(({ handshake }, next) => {
        const { token } = handshake.auth || handshake.query;
        next(token === plan.token ? undefined : new Error("unauthorized"));
      });
    }
    namespace.on("connection", (socket) => {
      answers(socket);
      if (socket.recovered) {
        log("recovered");
      }
      if (plan.greets) {
        socket.emit("news", "the news");
      }
      if (plan.throwOut && thrownOut < plan.throwOut.times) {
        thrownOut += 1;
        setTimeout(() => socket.disconnect(), plan.throwOut.afterMs);
      }
      if (plan.dropMs) {
        setTimeout(() => socket.conn.close(), plan.dropMs);
      }
    });
  }
  if (plan.admin !== undefined) {
    const { instrument } = require("@socket.io/admin-ui");
    const auth = plan.admin && { ...plan.admin, password: require("bcryptjs").hashSync(plan.admin.password, 4) };
    instrument(io, { auth, mode: "production" });
  }
};

if (plan.workers && cluster.isPrimary) {
  const cameUp = [];
  cluster.setupPrimary({ args: [process.argv[2]] });
  cluster.on("listening", (worker) => {
    cameUp.push(worker);
    if (cameUp.length === plan.workers) {
      console.log("LISTENING");
    }
  });
  for (let worker = 0; worker < plan.workers; worker++) {
    cluster.fork();
  }
} else {
  serve();
  if (!plan.workers) {
    setTimeout(() => console.log("LISTENING"), 200);
  }
}
