// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO client, of whatever version NODE_PATH holds, that sends events as its plan says:
//   url, options  for io()
//   clients       so many of them, a connection each
//   emits         [{event, args, times, everyMs, afterMs, asks, once}]: after it has joined, each time
//                 unless `once`; asks for an acknowledgement if `asks`
//   answers       {event: afterMs}: acknowledges that event of the server, so much later
//   echoes        {event: reply}: emits `reply` for each such event, by a listener that is registered
//                 anew each time that the client has joined
//   lifeMs        leaves after so long
"use strict";
const module_ = require("socket.io-client");
const { plan, log, sleep } = require("./plan");
const { madeOf } = require("./event_args");

const io = module_.io || module_; // 2.x exports the function itself

const say = async (socket, { event, args, times, everyMs, afterMs, asks }) => {
  await sleep(afterMs || 0);
  const began = Date.now();
  for (let i = 0; i < (times || 1); i++) {
    const said = (args || []).map((arg) => madeOf(arg, i));
    if (asks) {
      socket.emit(event, ...said, (...answer) => log("acknowledged:", event, answer.join(" ")));
    } else {
      socket.emit(event, ...said);
    }
    await sleep(Math.max(0, began + (i + 1) * (everyMs || 0) - Date.now()));
  }
};

const visit = () => {
  const socket = io(plan.url, { forceNew: true, ...plan.options });
  let joins = 0;
  socket.on("connect", () => {
    console.log("CONNECTED");
    joins += 1;
    for (const [event, reply] of Object.entries(plan.echoes || {})) {
      socket.on(event, (data) => socket.emit(reply, data));
    }
    for (const emission of plan.emits || []) {
      if (joins === 1 || !emission.once) {
        say(socket, emission);
      }
    }
  });
  for (const [event, afterMs] of Object.entries(plan.answers || {})) {
    socket.on(event, async (...args) => {
      await sleep(afterMs);
      args.pop()("here it is");
    });
  }
  socket.on("connect_error", (error) => log("connect_error:", error.message || error));
  socket.on("disconnect", (reason) => log("disconnect:", reason));
  return socket;
};

const sockets = Array.from({ length: plan.clients || 1 }, visit);
setTimeout(async () => {
  sockets.forEach((socket) => socket.close());
  await sleep(200); // the goodbye needs the event loop a little longer
  process.exit(0);
}, plan.lifeMs);
