// Pictures on canvases.

// Data float in [-1, 1] of dims (n, C, H, W): number i of them, of a sequence frame k.
function paint(canvas, { data, dims }, i = 0, frames = 1, k = 0) {
  const [, all, height, width] = dims,
    channels = all / frames,
    size = height * width;
  if (width === 1 && height === 1) return scattered(canvas, data);
  const image = new ImageData(width, height),
    start = (i * all + k * channels) * size;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * p + c] = level(data[start + (channels === 3 ? c * size : 0) + p]);
    }
    image.data[4 * p + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function level(x) {
  return Math.round(Math.max(0, Math.min(255, (x + 1) * 127.5)));
}

// What lies on a canvas: levels 0 to 255, channel by channel.
function levelsOn(canvas, channels) {
  const { width, height } = canvas,
    size = width * height,
    levels = new Uint8Array(channels * size);
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  for (let p = 0; p < size; p++) {
    inChannels([...data.subarray(4 * p, 4 * p + 3)], channels).forEach((x, c) => {
      levels[c * size + p] = x;
    });
  }
  return levels;
}

// A colour in so many channels.
function inChannels(rgb, channels) {
  return channels === 1 ? [grey(...rgb)] : rgb;
}

// Levels as a network sees them.
function scaled(levels) {
  return Float32Array.from(levels, (x) => x / 127.5 - 1);
}

// Points in the square, each x and y.
function scattered(canvas, data) {
  Object.assign(canvas, { width: 256, height: 256 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(canvas).color;
  for (let i = 0; i < data.length; i += 2) {
    pen.fillRect(127 + 112 * data[i], 127 - 112 * data[i + 1], 3, 3);
  }
}

// As Pillow makes grey of colours.
function grey(red, green, blue) {
  return Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
}

function element(tag, more = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(more)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function download(content, name) {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The middle of a picture in a file, over all of a canvas.
async function fill(canvas, file) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error("That file is no picture that this browser can read.");
  });
  const { width, height } = canvas,
    pen = canvas.getContext("2d");
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
}
