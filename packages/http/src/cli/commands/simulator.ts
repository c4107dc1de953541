import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { json, optional } from "../options.ts"

export const simulator = ({ run, terminal }: CommandLine) =>
  Command.make(
    "simulator",
    { port: optional("port", "NUMBER", "The port to listen on. Default: 4010."), json },
    ({ json, port }) =>
      run(async () =>
        (await import("../simulator.ts")).simulator(terminal, { json, port: Option.getOrUndefined(port) })
      )
  ).pipe(
    Command.withDescription(
      "Start a Polar on this machine, to develop and test with. Needs the package @kavach-polar/simulator."
    )
  )
