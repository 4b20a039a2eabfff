"use strict";
// Read by the checks into every page they look at. Everything here only looks; nothing changes the page.
window.audit = (() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parsed = new Map();

  // Any CSS colour as [r, g, b, a] with a in [0, 1].
  function rgba(colour) {
    if (!parsed.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = "#000";
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      parsed.set(colour, [r, g, b, a / 255]);
    }
    return parsed.get(colour);
  }
  const over = (front, back) => front.slice(0, 3).map((c, i) => c * front[3] + back[i] * (1 - front[3]));
  function luminance(colour) {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(a, b) {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  }

  // What lies behind an element: its ancestors' backgrounds, laid over the page's canvas.
  function ground(element) {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark") &&
      matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((back, front) => over(front, back), dark ? [18, 18, 18] : [255, 255, 255]);
  }
  function opacity(element) {
    let product = 1;
    for (let each = element; each; each = each.parentElement) product *= Number(getComputedStyle(each).opacity);
    return product;
  }
  // Neither hidden nor cut down to nothing (as texts for screen readers are).
  function seen(element) {
    const options = { contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true };
    if (!element.checkVisibility(options)) return false;
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      const style = getComputedStyle(each);
      const box = each.getBoundingClientRect();
      if (style.overflow !== "visible" && (box.width <= 1 || box.height <= 1)) return false;
    }
    return true;
  }
  function path(element) {
    const name = (e) => e.localName + (e.id ? `#${e.id}` : "") +
      (typeof e.className === "string" && e.className ? `.${e.className.trim().split(/\s+/).join(".")}` : "");
    return [element.parentElement, element].filter(Boolean).map(name).join(" > ");
  }
  const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 60);

  function texts() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || element.closest("script, style, noscript, template") || !seen(element)) continue;
      found.push([node, element]);
    }
    return found;
  }

  // Texts with less contrast than WCAG 2 asks for (AA): 4.5, or 3 for large ones.
  function faint() {
    const wrong = new Map();
    for (const [node, element] of texts()) {
      if (element.closest(":disabled")) continue;
      const style = getComputedStyle(element);
      const drawn = element instanceof SVGElement;
      const colour = [...rgba(drawn ? style.fill : style.color)];
      colour[3] *= opacity(element) * (drawn ? Number(style.fillOpacity) : 1);
      const back = ground(drawn ? element.ownerSVGElement ?? element : element);
      const size = parseFloat(style.fontSize);
      const large = !drawn && (size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700));
      const ratio = contrast(over(colour, back), back);
      if (ratio < (large ? 3 : 4.5) - 0.005) {
        wrong.set(path(element), `${ratio.toFixed(2)}: “${short(node.data)}” in ${path(element)}`);
      }
    }
    return [...wrong.values()];
  }

  // Texts too small to read.
  function tiny(least) {
    const wrong = new Map();
    for (const [node, element] of texts()) {
      const drawn = element.closest("svg");
      const matrix = drawn && element.getScreenCTM ? element.getScreenCTM() : null;
      const size = parseFloat(getComputedStyle(element).fontSize) * (matrix ? Math.hypot(matrix.a, matrix.b) : 1);
      if (size < least) wrong.set(path(element), `${size.toFixed(1)} px: “${short(node.data)}” in ${path(element)}`);
    }
    return [...wrong.values()];
  }

  // What sticks out of the page at the right; what scrolls within a box of its own may.
  function overflowing() {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const out = [...document.body.querySelectorAll("*")].filter((element) => {
      const box = element.getBoundingClientRect();
      if (box.right <= width + 1 || box.width === 0 || !seen(element)) return false;
      for (let each = element.parentElement; each && each !== document.body; each = each.parentElement) {
        if (getComputedStyle(each).overflowX !== "visible") return false;
      }
      return true;
    });
    return [`${document.documentElement.scrollWidth} px wide, ${width} px seen`, ...out.slice(0, 5).map(path)];
  }

  // Figures that show nothing. An SVG needs shapes that are drawn somewhere; an image must have been decoded.
  function empty() {
    const wrong = [];
    for (const image of document.querySelectorAll("img")) {
      if (!seen(image)) continue;
      const box = image.getBoundingClientRect();
      if (!image.complete || image.naturalWidth === 0 || box.width < 16 || box.height < 16) {
        wrong.push(`image ${short(image.alt || image.src)}: ${box.width} x ${box.height} px`);
      }
    }
    for (const drawing of document.querySelectorAll("figure svg, body > svg")) {
      if (!seen(drawing)) continue;
      const box = drawing.getBoundingClientRect();
      const shapes = [...drawing.querySelectorAll("path, circle, rect, line, polygon, polyline, use")].filter((shape) => {
        const { width, height } = shape.getBoundingClientRect();
        const { fill, stroke } = getComputedStyle(shape);
        return width + height > 2 && (fill !== "none" || stroke !== "none" || shape.localName === "use");
      });
      const words = [...drawing.querySelectorAll("text")].filter((text) => text.textContent.trim());
      if (box.width < 100 || box.height < 50 || shapes.length < 3 || words.length < 2) {
        wrong.push(`drawing ${short(drawing.getAttribute("aria-label") ?? path(drawing))}: ${Math.round(box.width)} x ` +
          `${Math.round(box.height)} px, ${shapes.length} shapes, ${words.length} words`);
      }
    }
    return wrong;
  }

  // Where an element can be seen: within the page, and within whatever of its ancestors cuts off what sticks out.
  function visibleArea(element) {
    const seen = { left: 0, top: -Infinity, right: document.documentElement.clientWidth, bottom: Infinity };
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (getComputedStyle(each).overflowX === "visible") continue;
      const box = each.getBoundingClientRect();
      if (each !== element && each.scrollWidth > each.clientWidth) return seen;  // can be scrolled into view
      seen.left = Math.max(seen.left, box.left);
      seen.right = Math.min(seen.right, box.right);
      seen.top = Math.max(seen.top, box.top);
      seen.bottom = Math.min(seen.bottom, box.bottom);
    }
    return seen;
  }

  // Words of a drawing that an edge cuts off, or that another word covers.
  function covered() {
    const wrong = [];
    for (const drawing of document.querySelectorAll("figure svg, body > svg")) {
      if (!seen(drawing)) continue;
      const area = visibleArea(drawing);
      const words = [...drawing.querySelectorAll("text")].filter((text) => text.textContent.trim() && seen(text));
      const boxes = words.map((word) => word.getBoundingClientRect());
      boxes.forEach((a, i) => {
        if (a.left < area.left - 2 || a.right > area.right + 2 || a.top < area.top - 2 || a.bottom > area.bottom + 2) {
          wrong.push(`“${short(words[i].textContent)}” is cut off`);
        }
        for (let j = 0; j < i; j += 1) {
          const b = boxes[j];
          const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (wide > 2 && high > 0.35 * Math.min(a.height, b.height)) {
            wrong.push(`“${short(words[i].textContent)}” covers “${short(words[j].textContent)}”`);
          }
        }
      });
    }
    return wrong;
  }

  // Links within the page that lead nowhere.
  function dead() {
    const anchors = [...document.querySelectorAll('a[href^="#"]')].map((link) => decodeURIComponent(link.hash.slice(1)));
    return [...new Set(anchors)].filter((anchor) => anchor && !document.getElementById(anchor) &&
      !document.getElementsByName(anchor).length);
  }

  return { covered, dead, empty, faint, overflowing, texts: () => texts().length, tiny };
})();
