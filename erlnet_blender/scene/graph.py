"""A few words to write a shader graph down, in Blender 4.2 to 5.2. Lengths are metres."""

from __future__ import annotations

import bpy

from ..head_presets import Colour
from .complexion import PACKS

REST = "erlnet_rest"  # (V, 3) rest positions: textures must not swim when the face moves


class Graph:
    """A few words to write a node graph down."""

    def __init__(self, material: bpy.types.Material) -> None:
        material.use_nodes = True
        self.tree = material.node_tree
        self.tree.nodes.clear()
        output = self.tree.nodes.new("ShaderNodeOutputMaterial")
        self.surface = self.tree.nodes.new("ShaderNodeBsdfPrincipled")
        self.tree.links.new(self.surface.outputs[0], output.inputs["Surface"])
        self._vectors: dict[str, bpy.types.NodeSocket] = {}
        self._parts: dict[str, bpy.types.NodeSocket] = {}

    def node(self, kind: str, **settings):
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def put(self, socket, value) -> None:
        """Set an input to a number or colour, or link it."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and len(socket.default_value) == 4 and len(value) == 3:
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def set(self, **inputs) -> None:
        """Inputs of the Principled BSDF, spaces written as underscores."""
        for name, value in inputs.items():
            self.put(self.surface.inputs[name.replace("_", " ")], value)

    def vector(self, attribute: str):
        if attribute not in self._vectors:
            self._vectors[attribute] = self.node("ShaderNodeAttribute", attribute_name=attribute).outputs["Vector"]
        return self._vectors[attribute]

    def rest(self):
        return self.vector(REST)

    def parts(self, vector) -> tuple:
        """The three components of a vector."""
        split = self.node("ShaderNodeSeparateXYZ")
        self.put(split.inputs[0], vector)
        return tuple(split.outputs)

    def mask(self, name: str):
        """A mask of `complexion.PACKS`, 0..1."""
        if name not in self._parts:
            pack = next(pack for pack, names in PACKS.items() if name in names)
            self._parts.update(zip(PACKS[pack], self.parts(self.vector(pack)), strict=True))
        return self._parts[name]

    def mix(self, factor, a, b):
        node = self.node("ShaderNodeMix", data_type="RGBA")
        node.clamp_factor = True
        for index, value in ((0, factor), (6, a), (7, b)):
            self.put(node.inputs[index], value)
        return node.outputs[2]

    def math(self, operation: str, a, b=0.0):
        node = self.node("ShaderNodeMath", operation=operation)
        self.put(node.inputs[0], a)
        self.put(node.inputs[1], b)
        return node.outputs[0]

    def sum(self, *terms):
        total = terms[0]
        for term in terms[1:]:
            total = self.math("ADD", total, term)
        return total

    def scaled(self, value, amount: float):
        """A value, or the mask of this name, times a number or a value."""
        return self.math("MULTIPLY", self.mask(value) if isinstance(value, str) else value, amount)

    def noise(self, per_metre: float, detail: float = 3.0, place=None):
        node = self.node("ShaderNodeTexNoise")
        node.inputs["Scale"].default_value = per_metre
        node.inputs["Detail"].default_value = detail
        self.put(node.inputs["Vector"], place or self.rest())
        return node.outputs[0]

    def stretched(self, vector, scale):
        """A vector times a vector."""
        node = self.node("ShaderNodeVectorMath", operation="MULTIPLY")
        self.put(node.inputs[0], vector)
        self.put(node.inputs[1], scale)
        return node.outputs[0]

    def ramp(self, value, low: float, high: float):
        """0 below `low`, 1 above `high`, smooth between."""
        node = self.node("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP")
        for index, setting in ((0, value), (1, low), (2, high)):
            self.put(node.inputs[index], setting)
        return node.outputs[0]

    def bump(self, height, strength: float, distance: float) -> None:
        """Relief of `distance` metres for a height of 1."""
        node = self.node("ShaderNodeBump")
        self.put(node.inputs["Strength"], strength)
        self.put(node.inputs["Distance"], distance)
        self.put(node.inputs["Height"], height)
        self.put(self.surface.inputs["Normal"], node.outputs[0])

    def scatter(self, weight: float, scale: float, radius: Colour = (1.0, 0.36, 0.2)) -> None:
        self.set(Subsurface_Weight=weight, Subsurface_Scale=scale)
        self.surface.inputs["Subsurface Radius"].default_value = radius
