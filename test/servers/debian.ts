/** Programs from Debian's packages, for machines that have none. */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { cacheFolder } from "./cacheFolder.ts"

const run = promisify(execFile)
const quiet = { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }

const isDebian = (): boolean => existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get")

/** Installs packages on this machine; only root on Debian can. The services they bring are not started. */
export const install = async (...packages: ReadonlyArray<string>): Promise<void> => {
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new Error(`install ${packages.join(" ")} first: this is not Debian, or not root`)
  }
  // Debian starts what it installs unless this program says no; a policy that is there already is left alone.
  const policy = "/usr/sbin/policy-rc.d"
  const own = !existsSync(policy)
  if (own) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 })
  try {
    await run("apt-get", ["update", "-q"], quiet)
    await run("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...packages], quiet)
  } finally {
    if (own) rmSync(policy, { force: true })
  }
}

/**
 * Unpacks a package of Debian unstable and everything it needs into a folder of the user's cache, beside the machine's own
 * packages and without touching them. Returns the folder, which stays for the next run.
 */
export const unpackFromUnstable = async (name: string): Promise<string> => {
  if (!isDebian()) throw new Error(`${name} can only be unpacked on Debian`)
  const cache = cacheFolder()
  const root = join(cache, name)
  if (existsSync(root)) return root
  const apt = join(cache, `${name}-apt`)
  rmSync(apt, { recursive: true, force: true })
  for (const folder of ["lists/partial", "archives/partial", "root"]) mkdirSync(join(apt, folder), { recursive: true })
  writeFileSync(join(apt, "status"), "")
  writeFileSync(join(apt, "sources.list"), `deb ${options()} ${mirror()} unstable main\n`)
  const settings = [
    `Dir::Etc::sourcelist=${join(apt, "sources.list")}`,
    "Dir::Etc::sourceparts=-",
    "Dir::Etc::preferencesparts=-",
    `Dir::State::lists=${join(apt, "lists")}`,
    `Dir::State::status=${join(apt, "status")}`,
    `Dir::Cache::archives=${join(apt, "archives")}`,
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "APT::Sandbox::User=root",
    "Debug::NoLocking=1"
  ].flatMap((setting) => ["-o", setting])
  await run("apt-get", [...settings, "update", "-q"], quiet)
  await run("apt-get", [...settings, "install", "-q", "-y", "--download-only", "--no-install-recommends", name], quiet)
  for (const file of readdirSync(join(apt, "archives"))) {
    if (file.endsWith(".deb")) await run("dpkg", ["-x", join(apt, "archives", file), join(apt, "root")], quiet)
  }
  // Only what is complete gets the name that later runs look for.
  renameSync(join(apt, "root"), root)
  rmSync(apt, { recursive: true, force: true })
  return root
}

const sourceFiles = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]

/** Where this machine gets Debian's packages from. */
const mirror = (): string => {
  for (const file of sourceFiles.filter((path) => existsSync(path))) {
    const text = readFileSync(file, "utf8")
    const address = /^URIs:\s*(\S+)/m.exec(text)?.[1] ?? /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1]
    if (address !== undefined) return address
  }
  throw new Error("apt has no source of Debian's packages")
}

const options = (): string => {
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
  return existsSync(keyring) ? `[signed-by=${keyring}]` : ""
}
