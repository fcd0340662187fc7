// Serves the page from another program until the process is told to stop.

import Unroll
import UnrollWeb

Threads.count = 1  // for each of the two requests that are computed at a time
let server = WebServer(host: "127.0.0.1", port: 0)
try server.serve { address in
  print("open \(address)")
}
