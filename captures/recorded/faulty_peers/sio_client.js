// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO client, of whatever version NODE_PATH holds. Its plan:
//   url, options  for io()
//   attempts      leaves after so many failed attempts to connect
//   lifeMs        leaves after so long in any case
//   goodbyeMs     how long it still runs then, 200 unless given
//   busy          {everyMs, forMs}: holds the event loop again and again, once it has connected
//   upload        {afterMs, bytes}: sends an event of that size, so long after it has connected;
//                 with `again`, each time that it has
//   hello         sends the event "hello" so often, every hello.everyMs, and wants acknowledgements;
//                 `word` is what it says, "word" unless given
//   burst         {times, bytes}: sends so many "hello" of that size at once
//   buffers       sends the event "files" with so many Buffers, once it has connected
"use strict";
const module_ = require("socket.io-client");
const { plan, log, sleep, holdEventLoop } = require("./plan");

const io = module_.io || module_; // 2.x exports the function itself
const socket = io(plan.url, plan.options);
let failures = 0;

const leave = async () => {
  const { engine } = socket.io;
  console.log("SESSION", engine.id, "ends over", engine.transport.name);
  socket.close();
  await sleep(plan.goodbyeMs || 200); // the goodbye needs the event loop a little longer
  process.exit(0);
};

const failed = (error) => {
  const { message, description, data } = Object(error);
  // 2.x hands over what the server sent, a string or an object; a transport tells a status code or
  // an Error as its description.
  const cause = Object(description).message || description || "";
  const detail = data ? JSON.stringify(data) : String(cause);
  log("connect_error:", message || JSON.stringify(error), detail);
  failures += 1;
  if (failures === plan.attempts) {
    leave();
  }
};

socket.on("connect", async () => {
  console.log("CONNECTED");
  log("connect, transport", socket.io.engine.transport.name);
  for (let i = 1; i <= (plan.hello ? plan.hello.times : 0); i++) {
    socket.emit("hello", `${plan.hello.word || "word"} ${i}`, (answer) => log("acknowledged:", answer));
    await sleep(plan.hello.everyMs);
  }
});
const upload = () => {
  setTimeout(() => socket.emit("upload", "x".repeat(plan.upload.bytes)), plan.upload.afterMs);
};
socket.once("connect", () => {
  if (plan.busy) {
    setInterval(holdEventLoop, plan.busy.everyMs, plan.busy.forMs);
  }
  for (let i = 1; i <= (plan.burst ? plan.burst.times : 0); i++) {
    const word = `${i} `.padEnd(plan.burst.bytes, "x");
    socket.emit("hello", word, () => log("acknowledged", i));
  }
  if (plan.buffers) {
    socket.emit("files", ...Array.from({ length: plan.buffers }, (_, at) => Buffer.from([at, at])));
  }
});
if (plan.upload) {
  plan.upload.again ? socket.on("connect", upload) : socket.once("connect", upload);
}
socket.on("greeting", (text) => log("event greeting", text));
socket.on("connect_error", failed);
socket.on("error", failed); // what 2.x makes of an ERROR packet
socket.on("disconnect", (reason) => log("disconnect:", reason));

if (plan.lifeMs) {
  setTimeout(leave, plan.lifeMs);
}
