import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

/** For `polar({ bodies })`. The key has 32 bytes; the `webhook-id` is bound in, so that no body opens as another's. */
export const encryptedWith = (key: Buffer) => ({
  encrypt: (body: string, { deliveryId }: { deliveryId: string }) => {
    const iv = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(deliveryId))
    const text = Buffer.concat([cipher.update(body, "utf8"), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64")
  },
  decrypt: (encrypted: string, { deliveryId }: { deliveryId: string }) => {
    const bytes = Buffer.from(encrypted, "base64")
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(deliveryId)).setAuthTag(bytes.subarray(12, 28))
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8")
  }
})
