// SPDX-License-Identifier: GPL-2.0-or-later
// A client of socket.io that asks, sends bytes, and leaves; see record_har.py.
"use strict";

const { io } = require("socket.io-client");

const socket = io(process.argv[2]);
socket.on("connect", () => {
  socket.io.engine.once("upgrade", () => {
    socket.emit("question", "why", () => {
      socket.emit("picture", Buffer.from([1, 2, 3]), () => {
        setTimeout(() => {
          socket.disconnect();
          setTimeout(() => process.exit(0), 300);
        }, 1000);
      });
    });
  });
});
