// Makes of strokes an image as the data have it: bitmaps of 32 x 32, of which every pixel of 8 x 8 counts the set ones
// in a block of 4 x 4 (E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
// Repository, 1998). The bitmaps came from programs of NIST (M. D. Garris and others, NISTIR 5469, 1994), which set
// digits upright and bring them to one size and their lines to one strength. So does this, by figures of the data.

const kBitmap = 32, kBlock = 4;
const kWidest = 20;  // digits are as high as the bitmap; half of the zeros, which are wide, are about this wide
const kInk = 0.3;    // the share of the bitmap that is set: 0.27 to 0.34 in nine of ten images of every digit
const kThinnest = 3, kThickest = 7;
const kEdge = 0.1;   // the share of the height that is the top of a digit, or the bottom

const range = (points, axis) => {
  const places = points.map((point) => point[axis]);
  return [Math.min(...places), Math.max(...places)];
};

// The strokes sheared until the leftmost points at the top and at the bottom stand above each other.
function upright(strokes) {
  const points = strokes.flat(), [top, bottom] = range(points, 1), edge = kEdge * (bottom - top);
  const [upper] = range(points.filter(([, y]) => y <= top + edge), 0);
  const [lower] = range(points.filter(([, y]) => y >= bottom - edge), 0);
  const slope = bottom > top ? Math.min(Math.max((upper - lower) / (bottom - top), -1), 1) : 0;
  return strokes.map((stroke) => stroke.map(([x, y]) => [x + slope * (y - top), y]));
}

// The strokes in the middle of the bitmap, which they fill with a pen of this width, as segments. Wide digits become
// narrower rather than lower, but not what they are not: a dash stays one, and so does a dot.
function fitted(strokes, pen) {
  const points = strokes.flat(), [left, right] = range(points, 0), [top, bottom] = range(points, 1);
  const widest = (kWidest - pen) / (right - left), highest = (kBitmap - pen) / (bottom - top);
  const across = Math.min(widest, highest), down = Math.min(2 * widest, highest);
  const place = (at, low, high, scale) => kBitmap / 2 + (high > low ? (at - (low + high) / 2) * scale : 0);
  return strokes.flatMap((stroke) => {
    const ends = stroke.map(([x, y]) => [place(x, left, right, across), place(y, top, bottom, down)]);
    return ends.length === 1 ? [[ends[0], ends[0]]] : ends.slice(1).map((end, i) => [ends[i], end]);
  });
}

// 1 for the pixels of the bitmap whose middles are within half a pen of a segment.
function painted(segments, pen) {
  const bitmap = new Uint8Array(kBitmap ** 2), radius = pen / 2;
  const first = (a, b) => Math.max(Math.floor(Math.min(a, b) - radius), 0);
  const last = (a, b) => Math.min(Math.ceil(Math.max(a, b) + radius), kBitmap - 1);
  for (const [[x1, y1], [x2, y2]] of segments) {
    const dx = x2 - x1, dy = y2 - y1, length2 = dx * dx + dy * dy;
    for (let row = first(y1, y2); row <= last(y1, y2); ++row) {
      for (let column = first(x1, x2); column <= last(x1, x2); ++column) {
        const x = column + 0.5 - x1, y = row + 0.5 - y1;
        const along = length2 > 0 ? Math.min(Math.max((x * dx + y * dy) / length2, 0), 1) : 0;
        if ((x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius) bitmap[row * kBitmap + column] = 1;
      }
    }
  }
  return bitmap;
}

// strokes: lists of points [x, y], y downwards, in any unit. 64 numbers from 0 to 1, row by row; all 0 where there are
// no points.
export function imageOf(strokes) {
  const side = kBitmap / kBlock, image = new Float32Array(side * side);
  if (strokes.flat().length === 0) return image;
  const standing = upright(strokes);
  let bitmap, pen = kThinnest - 0.5;
  do {
    pen += 0.5;
    bitmap = painted(fitted(standing, pen), pen);
  } while (pen < kThickest && bitmap.reduce((sum, bit) => sum + bit) < kInk * kBitmap ** 2);
  bitmap.forEach((bit, i) => {
    const row = Math.floor(i / kBitmap), column = i % kBitmap;
    image[Math.floor(row / kBlock) * side + Math.floor(column / kBlock)] += bit / kBlock ** 2;
  });
  return image;
}
