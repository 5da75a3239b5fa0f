// Digits as somebody draws them on a field of 280 x 280: strokes, which are lists of points [x, y], y downwards. Each
// digit comes twice, in another shape, size and place.

// Points of an arc of an ellipse, angles in degrees from the right, clockwise.
function arc(x, y, across, down, from, to) {
  const points = Math.max(2, Math.round(Math.abs(to - from) / 15));
  return Array.from({ length: points + 1 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / points) * Math.PI) / 180;
    return [x + across * Math.cos(angle), y + down * Math.sin(angle)];
  });
}

export const drawings = [
  { digit: 0, strokes: [arc(140, 140, 60, 90, -80, 280)] },
  { digit: 0, strokes: [arc(100, 120, 34, 44, -60, -430)] },
  { digit: 1, strokes: [[[105, 85], [145, 45], [143, 140], [140, 240]]] },
  { digit: 1, strokes: [[[175, 60], [160, 130], [150, 200]]] },
  { digit: 2, strokes: [[...arc(140, 90, 55, 45, 190, 390), [150, 160], [85, 230], [140, 226], [205, 232]]] },
  { digit: 2, strokes: [[...arc(95, 85, 32, 28, 170, 400), [90, 140], [60, 165], [135, 165]]] },
  { digit: 3, strokes: [[...arc(135, 90, 50, 45, 205, 450), ...arc(135, 185, 60, 50, -90, 150)]] },
  { digit: 3, strokes: [[[80, 60], [150, 55], [110, 110], ...arc(105, 150, 45, 40, -80, 140)]] },
  { digit: 4,
    strokes: [[[130, 40], [100, 100], [75, 155], [135, 152], [205, 150]], [[165, 90], [160, 160], [155, 240]]] },
  { digit: 4, strokes: [[[80, 70], [75, 125], [130, 125]], [[130, 65], [128, 120], [125, 185]]] },
  { digit: 5, strokes: [[[190, 50], [110, 52], [100, 125], ...arc(135, 175, 55, 55, -110, 140)]] },
  { digit: 5, strokes: [[[90, 80], [85, 125], ...arc(110, 150, 34, 32, -120, 150)], [[90, 80], [145, 76]]] },
  { digit: 6, strokes: [[[170, 45], [115, 105], ...arc(140, 180, 50, 50, 190, 550)]] },
  { digit: 6, strokes: [[[110, 60], [85, 105], [80, 150], ...arc(108, 155, 28, 26, 160, -190)]] },
  { digit: 7, strokes: [[[75, 50], [140, 48], [205, 52], [165, 130], [130, 240]]] },
  { digit: 7, strokes: [[[70, 70], [140, 68], [105, 180]], [[80, 125], [140, 122]]] },
  { digit: 8, strokes: [[...arc(140, 90, 45, 42, -60, -270), ...arc(140, 185, 55, 53, -90, 270),
    ...arc(140, 90, 45, 42, 90, -60)]] },
  { digit: 8, strokes: [[...arc(110, 85, 26, 27, -45, -250), [120, 115], ...arc(112, 150, 30, 30, -45, 215),
    [105, 115], [130, 70]]] },
  { digit: 9, strokes: [[...arc(135, 95, 48, 48, -20, -380), [182, 100], [178, 160], [165, 240]]] },
  { digit: 9, strokes: [[...arc(105, 85, 30, 26, -10, -350), [136, 120], [130, 165], [90, 180]]] },
];
