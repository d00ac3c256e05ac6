// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO client, of whatever version NODE_PATH holds, that joins namespaces. Its plan:
//   url, options  for io()
//   namespaces    which to join, [""] unless given: what to write behind the URL
//   again         calls connect() when the server has thrown it out, so long after that
//   says          sends the event "hello" once it has connected
//   connects      leaves after it has connected so often
//   lifeMs        leaves after so long in any case
//   vanishMs      so long after it has connected first, its connection is gone without a packet, as for
//                 one that goes to another network (needs root and iptables)
"use strict";
const { execFileSync } = require("child_process");
const module_ = require("socket.io-client");
const { plan, log, sleep } = require("./plan");

const io = module_.io || module_; // 2.x exports the function itself
let connects = 0;

const sockets = (plan.namespaces || [""]).map((name) => {
  const socket = io(plan.url + name, plan.options);
  socket.on("connect", async () => {
    connects += 1;
    if (connects === 1 && plan.vanishMs) {
      setTimeout(vanish, plan.vanishMs);
    }
    log("connect", name, socket.recovered ? "recovered" : "");
    if (plan.says) {
      socket.emit("hello", "word", (answer) => log("acknowledged:", answer));
    }
    if (connects === plan.connects) {
      await sleep(100);
      leave();
    }
  });
  const failed = (error) => log("connect_error:", error.message || JSON.stringify(error));
  socket.on("connect_error", failed);
  socket.on("error", failed); // what 2.x makes of an ERROR packet
  socket.on("disconnect", async (reason) => {
    log("disconnect:", reason);
    if (plan.again !== undefined && reason === "io server disconnect") {
      await sleep(plan.again);
      socket.connect();
    }
  });
  return socket;
});

// From now on nothing leaves this port, and the client finds its socket dead.
const vanish = () => {
  const wire = sockets[0].io.engine.transport.ws._socket;
  execFileSync("iptables", ["-A", "OUTPUT", "-p", "tcp", "--sport", String(wire.localPort), "-j", "DROP"]);
  wire.destroy();
};

const leave = async () => {
  sockets.forEach((socket) => socket.close());
  await sleep(200); // the goodbye needs the event loop a little longer
  process.exit(0);
};

setTimeout(leave, plan.lifeMs);
