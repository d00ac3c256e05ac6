// SPDX-License-Identifier: GPL-2.0-or-later
// An application on Engine.IO alone, without Socket.IO. Plan: {role: "server"}, or
// {role: "client", url} of a client that sends two messages, is answered, and leaves.
"use strict";
const { plan, log, sleep } = require("./plan");

const serve = () => {
  const server = require("http").createServer();
  const engine = require("engine.io").attach(server, plan.options);
  engine.on("connection", (socket) => {
    socket.on("message", (text) => socket.send(`echo of ${text}`));
    socket.on("close", (reason) => log("session closed:", reason));
  });
  server.listen(3000, () => console.log("LISTENING"));
};

const visit = async () => {
  const { Socket } = require("engine.io-client");
  const socket = new Socket(plan.url, plan.options);
  socket.on("message", (text) => log("message:", text));
  await new Promise((resolve) => socket.on("open", resolve));
  for (const text of ["hello", "plain Engine.IO"]) {
    socket.send(text);
    await sleep(1500);
  }
  socket.close();
  await sleep(200);
  process.exit(0);
};

plan.role === "server" ? serve() : visit();
