// The other implementations that curators use, one JSON question a line: {"ask": name, ...}. The
// answer is one line too, {"ok": ...} or {"error": text}. Bytes are 0x hex.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import { merkleizeMetadata } from '@polkadot-api/merkleize-metadata';
import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';
import { createFrames, createSignPayload } from '@polkadot/react-qr/cjs/util';
import { Metadata, TypeRegistry } from '@polkadot/types';
import { expandExtensionTypes } from '@polkadot/types/extrinsic/signedExtensions';
import { hexToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { cryptoWaitReady, encodeAddress, jsonDecrypt } from '@polkadot/util-crypto';
import jsQR from 'jsqr';
import { PNG } from 'pngjs';

const require = createRequire(import.meta.url);
await cryptoWaitReady();

// raptorq is a module for browsers: its package does not say that it is one
const raptorqSource = readFileSync(require.resolve('raptorq/raptorq.js'), 'utf8');
const raptorq = await import(`data:text/javascript,${encodeURIComponent(raptorqSource)}`);
raptorq.initSync(readFileSync(require.resolve('raptorq/raptorq_bg.wasm')));

const registries = new Map();

function registryOf (path, prefix) {
  const key = `${path} ${prefix}`;
  if (!registries.has(key)) {
    const registry = new TypeRegistry();
    registry.setChainProperties(registry.createType('ChainProperties', { ss58Format: prefix }));
    registry.setMetadata(new Metadata(registry, u8aToHex(readFileSync(path))));
    registries.set(key, registry);
  }
  return registries.get(key);
}

const pairOf = ({ uri, kind = 'sr25519' }) => new Keyring({ type: kind }).addFromUri(uri);

const asks = {
  metadata_hash: ({ metadata, decimals, symbol }) =>
    u8aToHex(
      merkleizeMetadata(readFileSync(metadata), { decimals, tokenSymbol: symbol }).digest()
    ),

  // What @polkadot/api makes of a call and its surroundings: GenericSignerPayload.toPayload
  payload: ({ metadata, prefix, ...fields }) =>
    registryOf(metadata, prefix)
      .createType('SignerPayload', fields, { version: 4 })
      .toPayload(),

  // What a wallet does with our payload: the extension signs it so, and the app adds the signature
  sign: ({ metadata, prefix, payload, ...key }) => {
    const registry = registryOf(metadata, prefix);
    registry.setSignedExtensions(payload.signedExtensions);
    const pair = pairOf(key);
    const signing = registry.createType('ExtrinsicPayload', payload, { version: payload.version });
    const { signature } = signing.sign(pair);
    const extrinsic = registry.createType(
      'Extrinsic', { method: payload.method }, { version: payload.version }
    );
    extrinsic.addSignature(encodeAddress(pair.publicKey, prefix), signature, payload);
    return {
      signature,
      signed: u8aToHex(signing.toU8a({ method: true })),
      extrinsic: extrinsic.toHex()
    };
  },

  // @polkadot/api against a node: the same call, signed by the app itself
  sign_live: async ({ url, payload, ...key }) => {
    const provider = new WsProvider(url, false);
    await provider.connect();
    const api = await ApiPromise.create({ noInitWarn: true, provider });
    try {
      const { blockHash, era, genesisHash, metadataHash, method, mode, nonce, tip } = payload;
      const tx = api.tx(api.createType('Call', method));
      await tx.signAsync(pairOf(key), {
        blockHash,
        era: api.createType('ExtrinsicEra', era),
        genesisHash,
        metadataHash,
        mode,
        nonce,
        tip
      });
      return { called: `${tx.method.section}.${tx.method.method}`, extrinsic: tx.toHex() };
    } finally {
      await api.disconnect();
    }
  },

  keystore: ({ passphrase, name, ...key }) => {
    const pair = pairOf(key);
    pair.setMeta({ name });
    return pair.toJson(passphrase);
  },

  // The key in a keystore: its account, and its signature over a message
  open_keystore: ({ json, passphrase, message }) => {
    const pair = new Keyring().addFromJson(json);
    pair.decodePkcs8(passphrase);
    jsonDecrypt(json, passphrase);
    return {
      account: u8aToHex(pair.publicKey),
      signature: u8aToHex(pair.sign(hexToU8a(message))),
      name: pair.meta.name
    };
  },

  // @polkadot/react-qr shows this to Polkadot Vault
  uos: ({ address, command, payload, genesis }) => {
    const whole = createSignPayload(address, command, hexToU8a(payload), hexToU8a(genesis));
    return { whole: u8aToHex(whole), frames: createFrames(whole).map((frame) => u8aToHex(frame)) };
  },

  // A UOS transaction as a device reads it: cut, then the call and the extensions by the metadata
  read_uos: ({ metadata, prefix, data, extensions }) => {
    const registry = registryOf(metadata, prefix);
    registry.setSignedExtensions(extensions);
    const bytes = hexToU8a(data);
    const genesis = bytes.subarray(bytes.length - 32);
    const blob = bytes.subarray(35, bytes.length - 32);
    const [offset, length] = compactOf(registry, blob);
    const method = blob.subarray(offset, offset + length);
    const rest = blob.subarray(offset + length);
    const types = {
      ...expandExtensionTypes(extensions, 'extrinsic'), ...expandExtensionTypes(extensions, 'payload')
    };
    const read = {};
    let at = 0;
    for (const [name, type] of Object.entries(types)) {
      const value = registry.createTypeUnsafe(type, [rest.subarray(at)]);
      at += value.encodedLength;
      read[name] = value.toHex();
    }
    if (at !== rest.length) {
      throw new Error(`${rest.length - at} bytes are left over`);
    }
    const call = registry.createType('Call', method);
    return {
      prelude: u8aToHex(bytes.subarray(0, 3)),
      account: u8aToHex(bytes.subarray(3, 35)),
      genesis: u8aToHex(genesis),
      method: u8aToHex(call.toU8a()),
      called: `${call.section}.${call.method}`,
      read
    };
  },

  // RaptorQ, as Polkadot Vault reads it: the frames that were seen, in the order of seeing
  read_fountain: ({ frames, unit }) => {
    const [first] = frames.map((frame) => hexToU8a(frame));
    const length = new DataView(first.buffer, first.byteOffset).getUint32(0) - 0x80000000;
    const decoder = raptorq.Decoder.with_defaults(BigInt(length), unit);
    for (const frame of frames.map((frame) => hexToU8a(frame))) {
      const whole = decoder.decode(frame.subarray(4));
      if (whole) {
        return u8aToHex(whole);
      }
    }
    return null;
  },

  read_png: ({ path }) => {
    const { data, height, width } = PNG.sync.read(readFileSync(path));
    return u8aToHex(Uint8Array.from(jsQR(Uint8ClampedArray.from(data), width, height).binaryData));
  },

  // A QR code from its modules, rows of 0 and 1
  read_modules: ({ rows }) => {
    const scale = 4;
    const quiet = 4;
    const width = (rows.length + 2 * quiet) * scale;
    const image = new Uint8ClampedArray(width * width * 4).fill(255);
    rows.forEach((row, y) => [...row].forEach((dark, x) => {
      if (dark === '1') {
        for (let dy = 0; dy < scale; dy++) {
          const from = (((y + quiet) * scale + dy) * width + (x + quiet) * scale) * 4;
          for (let dx = 0; dx < scale; dx++) {
            image.fill(0, from + dx * 4, from + dx * 4 + 3);
          }
        }
      }
    }));
    return u8aToHex(Uint8Array.from(jsQR(image, width, width).binaryData));
  }
};

function compactOf (registry, bytes) {
  const value = registry.createType('Compact<u32>', bytes);
  return [value.encodedLength, value.toNumber()];
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { ask, ...given } = JSON.parse(line);
    answer = { ok: await asks[ask](given) };
  } catch (error) {
    answer = { error: `${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
