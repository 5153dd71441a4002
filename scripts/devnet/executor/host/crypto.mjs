// ext_crypto_*: signatures are verified, none is made: the host has no keys.
import { secp256k1 } from '@noble/curves/secp256k1'
import { u8aConcat, u8aEq } from '@polkadot/util'
import { blake2b, ed25519Verify, sr25519Verify, waitReady } from '@polkadot/wasm-crypto'

await waitReady()

const KEY_LENGTH = 32
const SIGNATURE_LENGTH = 64
const RECOVERABLE_LENGTH = 65
const COMPRESSED_LENGTH = 33
const RECOVERY_IDS = 4
const OK = new Uint8Array([0])
const error = (kind) => new Uint8Array([1, kind])
const BAD_RS = error(0)
const BAD_V = error(1)
const BAD_SIGNATURE = error(2)

export function cryptoFunctions({ guest }) {
  const isValid = (verify) => Number(verify())
  const verifyWith = (algorithm) => (signature, message, publicKey) =>
    isValid(() =>
      algorithm(
        guest.read(signature, SIGNATURE_LENGTH),
        guest.readSpan(message),
        guest.read(publicKey, KEY_LENGTH),
      ),
    )
  const verifyEcdsa = (hashOf, { wraps }) => (signature, message, publicKey) =>
    isValid(() => {
      const bytes = guest.read(signature, RECOVERABLE_LENGTH)
      if (bytes[SIGNATURE_LENGTH] >= RECOVERY_IDS) return false // 27 and 28 are for `recover` only
      const result = recover(bytes, hashOf(message), { wraps })
      return result.point !== undefined && u8aEq(result.point.toRawBytes(true), guest.read(publicKey, COMPRESSED_LENGTH))
    })
  const recoverInto = (encoded, { wraps }) => (signature, hash) => {
    const result = recover(guest.read(signature, RECOVERABLE_LENGTH), guest.read(hash, KEY_LENGTH), { wraps })
    return guest.putSpan(result.point === undefined ? result.failure : u8aConcat(OK, encoded(result.point)))
  }
  const blake2Hash = (message) => blake2b(guest.readSpan(message), new Uint8Array(), 32)
  const givenHash = (pointer) => guest.read(pointer, KEY_LENGTH)
  const whole = (point) => point.toRawBytes(false).subarray(1)
  const compressed = (point) => point.toRawBytes(true)

  return {
    ext_crypto_ed25519_verify_version_1: verifyWith(ed25519Verify),
    ext_crypto_sr25519_verify_version_2: verifyWith(sr25519Verify),
    ext_crypto_ecdsa_verify_version_1: verifyEcdsa(blake2Hash, { wraps: true }),
    ext_crypto_ecdsa_verify_version_2: verifyEcdsa(blake2Hash, { wraps: false }),
    ext_crypto_ecdsa_verify_prehashed_version_1: verifyEcdsa(givenHash, { wraps: false }),
    ext_crypto_secp256k1_ecdsa_recover_version_1: recoverInto(whole, { wraps: true }),
    ext_crypto_secp256k1_ecdsa_recover_version_2: recoverInto(whole, { wraps: false }),
    ext_crypto_secp256k1_ecdsa_recover_compressed_version_1: recoverInto(compressed, { wraps: true }),
    ext_crypto_secp256k1_ecdsa_recover_compressed_version_2: recoverInto(compressed, { wraps: false }),
  }
}

// The public key that signed a hash, or sp_io's EcdsaVerifyError as SCALE. With `wraps`, as the first
// versions had it, R and S are taken modulo the curve's order.
function recover(signature, hash, { wraps }) {
  const last = signature[SIGNATURE_LENGTH]
  const recovery = last > 26 ? last - 27 : last
  if (recovery > 3) return { failure: BAD_V }
  let [r, s] = [numberAt(signature, 0), numberAt(signature, 32)]
  if (wraps) [r, s] = [r % secp256k1.CURVE.n, s % secp256k1.CURVE.n]
  if (r >= secp256k1.CURVE.n || s >= secp256k1.CURVE.n) return { failure: BAD_RS }
  try {
    return { point: new secp256k1.Signature(r, s).addRecoveryBit(recovery).recoverPublicKey(hash) }
  } catch {
    return { failure: BAD_SIGNATURE } // no key can have made it
  }
}

const numberAt = (bytes, start) => BigInt('0x' + Buffer.from(bytes.subarray(start, start + 32)).toString('hex'))
