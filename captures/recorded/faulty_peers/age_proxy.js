// SPDX-License-Identifier: GPL-2.0-or-later
// A proxy for TCP on port 3000 that ends each connection when it has reached an age, as platforms do. Its plan:
//   to       the port of the server behind it
//   ageMs    how old a connection may get
"use strict";
const net = require("net");
const { plan } = require("./plan");

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

server.listen(3000, () => console.log("LISTENING"));
