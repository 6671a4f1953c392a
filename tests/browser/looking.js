// What a page looks like to who cannot see it well, and to whom the window is narrow. Returns what is wrong.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const cache = new Map();
  const rgba = (color) => {
    if (!cache.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      cache.set(color, [r, g, b, a / 255]);
    }
    return cache.get(color);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = ([r, g, b]) =>
    [r, g, b].map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const behind = (node) => {
    const box = node.closest("svg a")?.querySelector("rect"); // a text in a drawing stands on the box beside it
    if (box && node !== box) return over(rgba(getComputedStyle(box).fill), behind(box.closest("svg").parentElement));
    const layers = [];
    for (let one = node; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const named = (node) => `${node.tagName.toLowerCase()}.${node.getAttribute("class") ?? ""} ${(node.textContent || node.name || "").trim().slice(0, 30)}`;
  const wrong = [];
  const shown = (node) => (node ? Number(getComputedStyle(node).opacity) * shown(node.parentElement) : 1);
  const need = (node, color, ground, least, what) => {
    const [r, g, b, a] = rgba(color);
    const found = contrast(over([r, g, b, a * shown(node)], ground), ground);
    if (found < least) wrong.push(`${what} of ${named(node)}: ${found.toFixed(2)} < ${least}`);
  };
  for (const node of document.querySelectorAll("body, body *")) {
    const style = getComputedStyle(node);
    if (!node.checkVisibility() || style.clipPath === "inset(50%)" || node.closest("title, head, script")) continue;
    const ground = behind(node);
    const has_text = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    const is_large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (has_text) need(node, node instanceof SVGElement ? style.fill : style.color, ground, is_large ? 3 : 4.5, "text");
    if (node.matches("input:not([type=hidden]), textarea, select")) {
      need(node, style.borderTopColor, behind(node.parentElement), 3, "border");
      if (node.placeholder) need(node, getComputedStyle(node, "::placeholder").color, ground, 4.5, "placeholder");
    }
  }
  return wrong;
}
