/** The proofs' short forms, on servers. */
import { describe } from "vitest"
import { callback } from "../prove/callback.ts"
import { fuzz } from "../prove/fuzz.ts"
import { proves } from "../prove/shortForms.ts"
import { shuffle } from "../prove/shuffle.ts"
import { storm } from "../prove/storm.ts"
import { hasSqld } from "../servers/hasSqld.ts"
import { serverNames, serverVariables } from "../servers/obtainServer.ts"
import { serverUrl } from "../servers/serverUrl.ts"

for (const name of serverNames) {
  const url = serverUrl(name)
  describe.skipIf(url === undefined)(`proofs on ${name}`, () => {
    if (url === undefined) return
    // A proof looks here for its server, and finds this run's.
    process.env[serverVariables[name]] = url
    proves(shuffle, name, 10)
    proves(storm, name, 6)
    // With settings of connections that change after the start.
    proves(fuzz, name, 4000)
    if (name === "postgres") proves(callback, name, 12)
  })
}

describe.skipIf(!hasSqld)("proofs on libsql", () => {
  proves(shuffle, "libsql", 10)
})
