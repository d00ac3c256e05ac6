// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server, of whatever version NODE_PATH holds, whose handlers do what its plan says:
//   options   for the Server of socket.io
//   handlers  {event: {afterMs}}: acknowledges it so much later; {event: {forgets: true}}: never does,
//             though it has a callback; {event: {every: 4, afterMs}}: late only each fourth time;
//             {event: {piles: "said"}}: each such event registers one more listener of "say", which
//             emits "said" with what was said
//   emits     [{event, args, times, everyMs, afterMs, asks, all}]: to each client that has joined, or
//             (all) to all of them from the moment that the first one has; asks for an acknowledgement
//             if `asks`
//   kick      {afterMs, times}: ends the connection of a client so soon after it has joined
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log, sleep, answers } = require("./plan");
const { madeOf } = require("./event_args");

const Server = module_.Server || module_; // 2.x exports the class itself
const server = http.createServer();
const io = new Server(server, plan.options || {});
const counts = {};
let kicks = plan.kick ? plan.kick.times : 0;
let joined = 0;

const handle = (socket, event, behaviour) => {
  if (behaviour.piles) {
    socket.on(event, () => socket.on("say", (text) => socket.emit(behaviour.piles, text)));
    return;
  }
  socket.on(event, async (...args) => {
    const answer = args.pop();
    counts[event] = (counts[event] || 0) + 1;
    log("event", event);
    if (behaviour.forgets) {
      return;
    }
    const late = !behaviour.every || counts[event] % behaviour.every === 0;
    await sleep(late ? behaviour.afterMs || 0 : 0);
    if (typeof answer === "function") {
      answer("done");
    }
  });
};

const say = async (to, { event, args, times, everyMs, afterMs, asks }) => {
  await sleep(afterMs || 0);
  const began = Date.now();
  for (let i = 0; i < (times || 1); i++) {
    const said = (args || []).map((arg) => madeOf(arg, i));
    if (asks) {
      to.emit(event, ...said, (answer) => log("acknowledged:", answer));
    } else {
      to.emit(event, ...said);
    }
    await sleep(Math.max(0, began + (i + 1) * (everyMs || 0) - Date.now()));
  }
};

io.on("connection", (socket) => {
  answers(socket);
  joined += 1;
  for (const [event, behaviour] of Object.entries(plan.handlers || {})) {
    handle(socket, event, behaviour);
  }
  for (const emission of plan.emits || []) {
    if (!emission.all) {
      say(socket, emission);
    } else if (joined === 1) {
      say(io, emission);
    }
  }
  if (kicks > 0) {
    kicks -= 1;
    setTimeout(() => socket.conn.close(), plan.kick.afterMs);
  }
});

server.listen(3000, () => console.log("LISTENING"));
