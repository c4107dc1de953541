/** A file of environment variables, `NAME=value` a line. One variable is written; everything else stays as it is. */
import { randomBytes } from "node:crypto"
import { access, constants, open, readFile, realpath, rename, rm, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { parseEnv } from "node:util"
import { CommandFailed } from "./Terminal.ts"

export interface EnvFile {
  readonly path: string
  /** `undefined` when there is no such file. */
  readonly text: string | undefined
}

export const readEnvFile = async (name: string, folder = "."): Promise<EnvFile> => {
  const path = resolve(folder, name)
  try {
    return { path, text: await readFile(path, "utf8") }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { path, text: undefined }
    throw new CommandFailed(`The file ${path} cannot be read (${codeOf(error)}).`)
  }
}

export const variablesIn = ({ text }: EnvFile): Readonly<Record<string, string | undefined>> =>
  text === undefined ? {} : parseEnv(text)

/** Throws where the file could not be written: to be known before something is done that it is to hold. */
export const requireWritable = async ({ path, text }: EnvFile, name: string): Promise<void> => {
  withVariable(text ?? "", name, "any")
  try {
    // A file takes the place of the one before, so its folder is written.
    await access(dirname(text === undefined ? path : await realpath(path)), constants.W_OK)
    if (text !== undefined) await access(path, constants.W_OK)
  } catch (error) {
    throw new CommandFailed(`The file ${path} cannot be written (${codeOf(error)}). Nothing was changed at Polar.`)
  }
}

/** Writes the variable, whole or not at all. A new file can be read by nobody else. */
export const writeVariable = async (file: EnvFile, name: string, value: string): Promise<void> => {
  const draft = `${file.path}.${randomBytes(6).toString("hex")}`
  try {
    const isNew = file.text === undefined
    const target = isNew ? file.path : await realpath(file.path)
    const opened = await open(draft, "wx", 0o600)
    try {
      await opened.writeFile(withVariable(file.text ?? "", name, value))
      if (!isNew) await opened.chmod((await stat(target)).mode & 0o777)
      await opened.sync()
    } finally {
      await opened.close()
    }
    await rename(draft, target)
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(
      `${name} could not be written into ${file.path} (${codeOf(error)}). Run the command again: it writes what is missing there.`
    )
  } finally {
    await rm(draft, { force: true })
  }
}

/** The text with this value in the line of the variable, or in a new line at its end. */
export const withVariable = (text: string, name: string, value: string): string => {
  const line = `${name}=${quoted(name, value)}`
  const lines = text.split("\n")
  // Of several the last one counts.
  const index = lines.findLastIndex((one) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(one))
  if (index < 0) return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`
  const before = lines[index] ?? ""
  const start = /^\s*(export\s+)?/.exec(before)?.[0] ?? ""
  const after = `${start}${line}${before.endsWith("\r") ? "\r" : ""}`
  // A value that goes over several lines would leave its rest there.
  if (parseEnv(before)[name] === parseEnv(text)[name]) return lines.with(index, after).join("\n")
  throw new CommandFailed(
    `The line of ${name} cannot be replaced: its value goes over several lines. Change it by hand.`
  )
}

/** What shells, Docker and Node read in the same way has no quotation marks. */
const quoted = (name: string, value: string): string => {
  if (/^[\w+/=,.:-]+$/.test(value)) return value
  if (!/['\r\n]/.test(value)) return `'${value}'`
  throw new CommandFailed(`${name} has a value that cannot be written into a file of variables. Set it by hand.`)
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error"
