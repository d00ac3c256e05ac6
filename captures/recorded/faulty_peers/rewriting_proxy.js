// SPDX-License-Identifier: GPL-2.0-or-later
// A proxy from port 3000 to 3001 that passes all on as it is, but for the header `Connection` of a
// 101: there it writes the line of its argument.
"use strict";
const net = require("net");

const line = process.argv[2];

net
  .createServer((client) => {
    const server = net.connect(3001, "127.0.0.1");
    client.pipe(server);
    server.on("data", (data) => {
      const text = data.toString("latin1");
      const is101 = text.startsWith("HTTP/1.1 101");
      const passed = is101 ? text.replace(/^Connection: .*$/im, line) : text;
      client.write(Buffer.from(passed, "latin1"));
    });
    server.on("end", () => client.end());
    for (const socket of [client, server]) {
      socket.on("error", () => {});
      socket.on("close", () => (socket === client ? server : client).destroy());
    }
  })
  .listen(3000);
