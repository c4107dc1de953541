/** Where programs that the tests fetched stay for the next run. */
import { homedir } from "node:os"
import { join } from "node:path"

/** Root's own folders are closed to the unprivileged account that the servers run as. */
export const cacheFolder = (): string =>
  process.getuid?.() === 0
    ? "/var/cache/kavach-polar"
    : join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "kavach-polar")
