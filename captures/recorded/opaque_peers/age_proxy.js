// SPDX-License-Identifier: GPL-2.0-or-later
// A proxy for TCP that ends each connection when it has reached an age: node age_proxy.js {"port", "to", "ageMs"}
"use strict";
const net = require("net");
const plan = JSON.parse(process.argv[2]);

const server = net.createServer((client) => {
  const back = net.connect(plan.to, "127.0.0.1");
  for (const [from, to] of [
    [client, back],
    [back, client],
  ]) {
    from.pipe(to);
    from.on("error", () => to.destroy());
  }
  setTimeout(() => [client, back].forEach((socket) => socket.end()), plan.ageMs);
});

server.listen(plan.port, () => console.log("LISTENING"));
