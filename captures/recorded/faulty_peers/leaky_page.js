// SPDX-License-Identifier: GPL-2.0-or-later
// A page in Chromium that makes a client of Socket.IO again and again, as a component does that is drawn anew. Its plan:
//   url, options    for io(); each client has a connection of its own
//   count, everyMs  how many, and one after the other
//   lifeMs          the page is left after so long, and the browser ended a moment later
"use strict";
const { plan, sleep } = require("./plan");
const { servePage, browse } = require("./chromium");

const HOST = "127.0.0.1";
const MOST_MS = 40000; // a browser that does not come up

const SCRIPT = `
let drawn = 0;
const draw = () => {
  io(${JSON.stringify(plan.url)}, { forceNew: true, ...${JSON.stringify(plan.options || {})} });
  drawn += 1;
  if (drawn < ${plan.count}) {
    setTimeout(draw, ${plan.everyMs});
  }
};
draw();
setTimeout(() => tell("leaves").then(() => location.replace("about:blank")), ${plan.lifeMs});
`;

(async () => {
  let leaves;
  const left = new Promise((resolve) => (leaves = resolve));
  await servePage(HOST, SCRIPT, { onTold: leaves });
  const end = browse(HOST);
  process.on("SIGTERM", leaves);
  await Promise.race([left, sleep(MOST_MS)]);
  await sleep(700);
  await end();
  process.exit(0);
})();
