// SPDX-License-Identifier: GPL-2.0-or-later
// A client that writes a request by hand, byte by byte as its plan says:
//   host, rounds, everyMs   where to connect, how often, and how long to wait in between
//   text                    the request
"use strict";
const net = require("net");
const { plan, log, sleep } = require("./plan");

const round = async () => {
  const socket = net.connect(3000, plan.host);
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", (error) => log("error:", error.code));
  socket.on("data", (data) => log("answer:", data.toString("latin1").split("\r\n")[0]));
  socket.write(Buffer.from(plan.text, "latin1"));
  await Promise.race([closed, sleep(2000)]);
  socket.destroy();
};

(async () => {
  for (let i = 0; i < plan.rounds; i++) {
    await round();
    await sleep(plan.everyMs);
  }
  process.exit(0);
})();
