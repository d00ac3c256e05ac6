// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server in several processes behind one port (the cluster module of Node, which hands
// out connections in turn), without anything that brings the requests of a session together.
//   workers  how many
"use strict";
const cluster = require("cluster");
const { plan } = require("./plan");

if (cluster.isPrimary) {
  for (let worker = 0; worker < plan.workers; worker++) {
    cluster.setupPrimary({ args: [process.argv[2]], silent: false });
    cluster.fork();
  }
} else {
  require("./sio_server");
}
