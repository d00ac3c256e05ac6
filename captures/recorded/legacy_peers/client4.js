// SPDX-License-Identifier: GPL-2.0-or-later
// socket.io-client 4 at a server of 0.9, which does not understand it.

"use strict";

const { io } = require("socket.io-client");

const config = JSON.parse(process.argv[2]);
const socket = io(config.url, config.options);
socket.on("connect_error", (error) => console.log("REFUSED", error.message));
setTimeout(() => process.exit(socket.connected ? 1 : 0), config.silence_ms);
