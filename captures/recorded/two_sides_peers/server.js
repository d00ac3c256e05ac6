// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server that answers `say` and sends a long `news` to who has joined. Argument: options in JSON.
const { Server } = require("socket.io");
const io = new Server(3000, { pingInterval: 1000, pingTimeout: 4000, ...JSON.parse(process.argv[2]) });
io.on("connection", (socket) => {
  socket.on("say", (text, done) => done(text.length));
  socket.emit("news", "nothing happens at all. ".repeat(16));
  let count = 0;
  const timer = setInterval(() => socket.emit("tick", ++count), 900);
  socket.on("disconnect", () => clearInterval(timer));
});
console.log("LISTENING");
