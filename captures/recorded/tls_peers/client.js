// SPDX-License-Identifier: GPL-2.0-or-later
// A client of socket.io, or one that speaks Engine.IO 4 and keeps the heartbeat of 3: node client.js PLAN
//   {"url", "ca", "stay": ms, "options": of socket.io-client}
//   {"url", "ca", "raw": true, "lives": how often it connects}
"use strict";

const fs = require("fs");
const plan = JSON.parse(process.argv[2]);
const ca = plan.ca && fs.readFileSync(plan.ca);

function raw(lives) {
  const WebSocket = require("ws");
  const socket = new WebSocket(`${plan.url}/socket.io/?EIO=4&transport=websocket`, { ca });
  let timer;
  socket.on("message", (data) => {
    if (data.toString().startsWith("0")) {
      socket.send("40");
      timer = setTimeout(() => socket.send("2"), 700);
    }
  });
  socket.on("close", (code) => {
    clearTimeout(timer);
    console.log("LOG closed", code);
    if (lives > 1) setTimeout(() => raw(lives - 1), 200);
  });
}

if (plan.raw) {
  raw(plan.lives || 1);
} else {
  const library = require("socket.io-client");
  const socket = (library.io || library)(plan.url, { ca, reconnection: false, ...plan.options });
  socket.on("hello", () => {
    socket.emit("add", 2, 3, (sum) => {
      console.log("LOG sum", sum);
      socket.emit("bytes", Buffer.from([1, 2, 3]));
      setTimeout(() => socket.close(), plan.stay || 1500);
    });
  });
  const failed = (error) => {
    console.log("LOG", error.message || error, (error.description && error.description.message) || "");
    socket.close();
  };
  socket.on("connect_error", failed);
}
