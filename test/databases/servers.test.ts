import { assert, test } from "vitest"
import { serverNames } from "../servers/obtainServer.ts"
import { serverUrl } from "../servers/serverUrl.ts"

test.each(serverNames)("there is a %s server, or the run says that there is none", (name) => {
  assert.match(serverUrl(name) ?? "postgres://none", /^(postgres|mysql):\/\//)
})
