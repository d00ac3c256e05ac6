// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO client that says something long every 800 ms, for so long. Arguments: URL, ms, options in JSON.
const { io } = require("socket.io-client");
const [url, lasts, options] = process.argv.slice(2);
const socket = io(url, { reconnection: false, ...JSON.parse(options) });
let count = 0;
socket.on("connect", () => {
  setInterval(() => socket.emit("say", `${++count}: ${"all is well here. ".repeat(20)}`, () => {}), 400);
});
setTimeout(() => {
  socket.disconnect();
  setTimeout(() => process.exit(0), 200);
}, Number(lasts));
