// Files that a page gives away: codes as NumPy's .npz, which `ganlib sample --codes` reads.

// name -> a typed array with its shape, or a word; as numpy.savez writes them, not compressed.
function npz(arrays) {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)]);
  const parts = [],
    directory = [];
  let offset = 0;
  for (const [name, content] of files) {
    const header = entry(name, content);
    parts.push(bytes("PK\x03\x04"), header, bytes(name), content);
    directory.push([name, header, offset]);
    offset += 4 + header.length + name.length + content.length;
  }
  const start = offset;
  for (const [name, header, place] of directory) {
    parts.push(
      bytes("PK\x01\x02"),
      little([[20, 2]]),
      header,
      little([
        [0, 2],
        [0, 2],
        [0, 2],
        [0, 4],
        [place, 4],
      ]),
      bytes(name),
    );
    offset += 46 + name.length;
  }
  const n = files.length;
  parts.push(
    bytes("PK\x05\x06"),
    little([
      [0, 2],
      [0, 2],
      [n, 2],
      [n, 2],
      [offset - start, 4],
      [start, 4],
      [0, 2],
    ]),
  );
  return new Blob(parts, { type: "application/zip" });
}

// Of a local header what follows its four letters and comes again in the directory.
function entry(name, content) {
  const sizes = [
    [crc32(content), 4],
    [content.length, 4],
    [content.length, 4],
  ];
  return little([[20, 2], [0, 2], [0, 2], [0, 2], [33, 2], ...sizes, [name.length, 2], [0, 2]]);
}

function npy({ shape, values, word }) {
  const type = word === undefined ? "<f4" : `<U${word.length}`;
  const dims = word === undefined ? shape.map((d) => `${d},`).join(" ") : "";
  const told = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims}), }`;
  const header = `${told.padEnd(Math.ceil((told.length + 11) / 64) * 64 - 11)}\n`;
  const data =
    word === undefined
      ? Float32Array.from(values)
      : Uint32Array.from([...word].map((c) => c.codePointAt(0)));
  const start = [bytes("\x93NUMPY\x01\x00"), little([[header.length, 2]]), bytes(header)];
  return join([...start, new Uint8Array(data.buffer)]);
}

function crc32(content) {
  let crc = ~0;
  for (const byte of content) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function bytes(text) {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function little(numbers) {
  return Uint8Array.from(
    numbers.flatMap(([number, size]) =>
      Array.from({ length: size }, (_, i) => Math.floor(number / 256 ** i) % 256),
    ),
  );
}
