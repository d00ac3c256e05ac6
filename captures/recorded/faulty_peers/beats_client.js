// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO client, of whatever version NODE_PATH holds, whose heartbeat is in trouble. Its plan:
//   url, options  for io()
//   lifeMs        leaves after so long
//   busy          {everyMs, forMs}: holds the event loop again and again
//   upload        {afterMs, bytes, times}: sends an event of that size, so long after it connected
"use strict";
const module_ = require("socket.io-client");
const { plan, log, sleep } = require("./plan");

const io = module_.io || module_; // 2.x exports the function itself
const socket = io(plan.url, plan.options);

const holdEventLoop = (ms) => {
  const end = Date.now() + ms;
  while (Date.now() < end);
};

socket.once("connect", async () => {
  console.log("CONNECTED");
  if (plan.busy) {
    setInterval(() => holdEventLoop(plan.busy.forMs), plan.busy.everyMs);
  }
  if (plan.upload) {
    await sleep(plan.upload.afterMs);
    for (let i = 0; i < (plan.upload.times || 1); i++) {
      socket.emit("upload", "x".repeat(plan.upload.bytes));
    }
    log("uploads");
  }
});
socket.on("connect", () => log("connect, transport", socket.io.engine.transport.name));
socket.on("disconnect", (reason) => log("disconnect:", reason));

setTimeout(async () => {
  socket.close();
  await sleep(200); // the goodbye needs the event loop a little longer
  process.exit(0);
}, plan.lifeMs);
