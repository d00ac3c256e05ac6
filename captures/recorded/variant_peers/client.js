// SPDX-License-Identifier: GPL-2.0-or-later
// The Node client of the variants. Ends with 0 if all that it expected has happened, and prints what
// it knows about the session as one line of JSON.

"use strict";

const { blob, config, load, options } = require("./common.js");
const { talk } = require("./conversation.js");

const library = load("socket.io-client");

const main = async () => {
  const manager = new library.Manager(config.url, { path: config.path, reconnection: false, ...options });
  console.log(JSON.stringify(await talk(manager, config, config.binary ? blob : null)));
  setTimeout(() => process.exit(0), 1500).unref(); // socket.io 1.0 never ends by itself
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
