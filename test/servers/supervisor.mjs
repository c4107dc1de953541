/**
 * Keeps one throw-away server for as long as somebody holds the other end of stdin, then stops exactly that server and
 * removes its folder: also when the test run is interrupted or dies.
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"

const { args, command, folder, gid, stopSignal, uid } = JSON.parse(process.argv[2])

const server = spawn(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], uid, gid })

const finish = (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}

let stopping = false
const stop = () => {
  if (stopping) return
  stopping = true
  server.kill(stopSignal)
  setTimeout(() => server.kill("SIGKILL"), 10_000).unref()
}

server.once("error", (error) => {
  process.stderr.write(`${error.message}\n`)
  finish(1)
})
server.once("exit", (code) => finish(stopping ? 0 : (code ?? 1)))
process.stdin.once("end", stop).once("close", stop).resume()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop)
