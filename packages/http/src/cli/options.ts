/** The options of all commands, as they are typed. */
import { parseArgs } from "node:util"
import { CommandFailed } from "./Terminal.ts"

/** Reads the arguments; throws `CommandFailed` for those that no command takes. */
export const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string" },
        host: { type: "string" },
        data: { type: "string" },
        database: { type: "string" },
        url: { type: "string" },
        secret: { type: "string" },
        id: { type: "string", multiple: true },
        type: { type: "string", multiple: true },
        state: { type: "string", multiple: true },
        since: { type: "string" },
        until: { type: "string" },
        all: { type: "boolean" },
        user: { type: "string" },
        "dry-run": { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    throw new CommandFailed(
      `${error instanceof Error ? error.message : "The arguments are wrong"}. See kavach-polar --help.`,
      2
    )
  }
}

export type Options = ReturnType<typeof parse>["values"]
