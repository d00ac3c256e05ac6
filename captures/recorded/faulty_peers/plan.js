// SPDX-License-Identifier: GPL-2.0-or-later
// What the peers written for Node share: the plan they are given, the way they report, and how their
// servers answer.
"use strict";

// The plan of a peer: its first argument, a JSON object.
exports.plan = JSON.parse(process.argv[2] || "{}");

// Lines that start with LOG are kept in the index of the recordings, as the peer's own testimony.
exports.log = (...words) => console.log("LOG", ...words);

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.holdEventLoop = (ms) => {
  const end = Date.now() + ms;
  while (Date.now() < end);
};

// What every server of Socket.IO does with a client: it answers "hello".
exports.answers = (socket) => {
  exports.log("connection");
  socket.on("disconnect", (reason) => exports.log("disconnect:", reason));
  socket.on("hello", (word, answer) => {
    exports.log("event hello", word);
    socket.emit("greeting", `${word} to you`);
    if (answer) {
      answer("well received");
    }
  });
};
