// SPDX-License-Identifier: GPL-2.0-or-later
// A reverse proxy on port 3000 that does to what it passes on what its plan tells it to:
//   to             the port of the server behind it
//   hold           what goes over an upgraded connection is never passed on ("both" ways, or only
//                  from the "server")
//   cutMs          an upgraded connection is ended, and held until then, so long after the 101
//   slowFramesMs   what the server sends over an upgraded connection arrives so much later
//   slowPollsMs    the answer to each poll of a session arrives so much later
//   noExtensions   each 101 goes without its Sec-WebSocket-Extensions
//   connection     what stands in the header Connection of each 101, or "" for no such header
"use strict";
const http = require("http");
const { plan, log, sleep } = require("./plan");

const onward = ({ method, url, headers }) =>
  http.request({ host: "127.0.0.1", port: plan.to, method, path: url, headers });

const server = http.createServer((request, response) => {
  const asked = onward(request);
  asked.on("response", async (answer) => {
    if (request.method === "GET" && request.url.includes("sid=")) {
      await sleep(plan.slowPollsMs || 0);
    }
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  asked.on("error", () => response.destroy());
  response.on("close", () => asked.destroy());
  request.pipe(asked);
});

const relay = (client, back) => {
  if (plan.cutMs) {
    setTimeout(() => [client, back].forEach((socket) => socket.end()), plan.cutMs);
  }
  for (const [from, to, held] of [
    [client, back, plan.hold === "both"],
    [back, client, Boolean(plan.hold)],
  ]) {
    const later = from === back ? plan.slowFramesMs || 0 : 0;
    from.on("data", (data) => held || setTimeout(() => to.write(data), later));
    from.on("end", () => setTimeout(() => to.end(), later));
    from.on("error", () => to.destroy());
  }
};

server.on("upgrade", (request, client) => {
  const asked = onward(request);
  asked.on("upgrade", (answer, back) => {
    let head = answer.rawHeaders.map((text, at) => (at % 2 ? `${text}\r\n` : `${text}: `)).join("");
    if (plan.noExtensions) {
      head = head.replace(/^Sec-WebSocket-Extensions: .*\r\n/im, "");
    }
    if (plan.connection !== undefined) {
      head = head.replace(/^Connection: .*\r\n/im, plan.connection && `Connection: ${plan.connection}\r\n`);
    }
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n`);
    relay(client, back);
  });
  asked.on("response", (answer) => {
    log("the server refuses the upgrade:", answer.statusCode);
    client.destroy();
  });
  asked.on("error", () => client.destroy());
  asked.end();
});

server.listen(3000, () => console.log("LISTENING"));
