// SPDX-License-Identifier: GPL-2.0-or-later
// Many clients of Socket.IO in one process, of whatever version NODE_PATH holds. Its plan:
//   url, options  for io(); each client has a connection of its own
//   count         how many clients
//   everyMs       one after the other
//   namespaces    the first client joins the first of them, and so on
//   shared        all namespaces over one connection, as the library does by itself
//   talks         client i sends an event (i + 1) * talks.everyMs after it has connected for the first time
//   lifeMs        all leave after so long
//   leave         "close" (default): in order; "exit": the process ends
"use strict";
const module_ = require("socket.io-client");
const { plan, log, sleep } = require("./plan");

const io = module_.io || module_; // 2.x exports the function itself
const sockets = [];
let connected = 0;

const open = (at) => {
  const name = plan.namespaces ? plan.namespaces[at] : "";
  const socket = io(plan.url + name, { forceNew: !plan.shared, ...plan.options });
  socket.once("connect", () => {
    connected += 1;
    if (connected === plan.count) {
      console.log("CONNECTED");
    }
    if (plan.talks) {
      setTimeout(() => socket.emit("hello", `word ${at}`), (at + 1) * plan.talks.everyMs);
    }
  });
  socket.on("disconnect", (reason) => log("disconnect:", reason));
  sockets.push(socket);
};

(async () => {
  for (let at = 0; at < plan.count; at++) {
    open(at);
    await sleep(plan.everyMs || 0);
  }
})();

setTimeout(async () => {
  if (plan.leave !== "exit") {
    sockets.forEach((socket) => socket.close());
    await sleep(300);
  }
  process.exit(0);
}, plan.lifeMs);
