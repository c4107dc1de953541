/** `simulator`: Polar on this machine. It is a package of its own, which an app installs to be developed with. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"

export interface SimulatorCommand {
  readonly json: boolean
  readonly port: string | undefined
}

/** What is used of the package. */
interface SimulatorPackage {
  readonly serve: (options: { readonly port: number }) => Promise<{
    readonly url: string
    readonly accessToken: string
    readonly close: () => Promise<void>
  }>
}

/** Resolves when the user stopped it. */
export const simulator = async (terminal: Terminal, options: SimulatorCommand): Promise<ExitCode> => {
  const port = portOf(options.port ?? "4010")
  const { serve } = await simulatorPackage(terminal.folder ?? process.cwd())
  const served = await serve({ port })
  const { accessToken, url } = served
  if (options.json) terminal.out(JSON.stringify({ event: "listening", url, accessToken }))
  else {
    for (const line of [
      `The simulator of Polar listens on ${url}. Nothing that is bought there costs anything, and all is gone when it stops.`,
      "",
      "Start your app with:",
      `  POLAR_API_URL=${url}`,
      `  POLAR_ACCESS_TOKEN=${accessToken}`,
      "",
      "Give it your app's webhook endpoint:",
      `  POLAR_API_URL=${url} POLAR_ACCESS_TOKEN=${accessToken} kavach-polar setup --url http://127.0.0.1:3000/auth/polar/webhook`,
      "",
      `Who bought what, and what Polar would do next: ${url}/`
    ]) {
      terminal.out(line)
    }
  }
  await terminal.stopped
  await served.close()
  return exitCodes.done
}

/** The one that the app in this folder has installed: it is no part of this package. */
const simulatorPackage = async (folder: string): Promise<SimulatorPackage> => {
  let file: string
  try {
    file = createRequire(join(folder, "package.json")).resolve("@kavach-polar/simulator")
  } catch {
    throw new CommandFailed(
      "The simulator is a package of its own. Install it in your app: npm install --save-dev @kavach-polar/simulator"
    )
  }
  return import(pathToFileURL(file).href)
}

const portOf = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw wrong(`"${text}" is no port: use a number up to 65535.`)
  return port
}
