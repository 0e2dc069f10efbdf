"""Shader graphs of the head: skin, eyes, teeth, gums, tongue, cloth, hair. Blender 4.2 to 5.2.

Graphs read point attributes that `appearance.dress` writes on the mesh; a missing attribute reads as zero, so that the
same skin works on a head without regions. Lengths are metres.
"""

from __future__ import annotations

import bpy

Colour = tuple[float, float, float]
REST = "erlnet_rest"  # (V, 3) rest positions: textures must not swim when the face moves
EYE = "erlnet_eye"  # (V, 3) place on the eyeball in units of its radius, +Z through the pupil


class Graph:
    """A few words to write a node graph down."""

    def __init__(self, material: bpy.types.Material) -> None:
        material.use_nodes = True
        self.tree = material.node_tree
        self.tree.nodes.clear()
        output = self.tree.nodes.new("ShaderNodeOutputMaterial")
        self.surface = self.tree.nodes.new("ShaderNodeBsdfPrincipled")
        self.tree.links.new(self.surface.outputs[0], output.inputs["Surface"])
        self._rest = None

    def node(self, kind: str, **settings):
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def put(self, socket, value) -> None:
        """Set an input to a number or colour, or link it."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and len(socket.default_value) == 4:
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def set(self, **inputs) -> None:
        """Inputs of the Principled BSDF, spaces written as underscores."""
        for name, value in inputs.items():
            self.put(self.surface.inputs[name.replace("_", " ")], value)

    def factor(self, attribute: str):
        return self.node("ShaderNodeAttribute", attribute_name=attribute).outputs["Fac"]

    def vector(self, attribute: str):
        return self.node("ShaderNodeAttribute", attribute_name=attribute).outputs["Vector"]

    def rest(self):
        self._rest = self._rest or self.vector(REST)
        return self._rest

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

    def scaled(self, attribute: str, amount: float):
        return self.math("MULTIPLY", self.factor(attribute), amount)

    def noise(self, per_metre: float, detail: float = 3.0, place=None):
        node = self.node("ShaderNodeTexNoise")
        node.inputs["Scale"].default_value = per_metre
        node.inputs["Detail"].default_value = detail
        self.put(node.inputs["Vector"], place or self.rest())
        return node.outputs[0]

    def ramp(self, value, low: float, high: float):
        """0 below `low`, 1 above `high`, smooth between."""
        node = self.node("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP")
        for index, setting in ((0, value), (1, low), (2, high)):
            self.put(node.inputs[index], setting)
        return node.outputs[0]

    def bump(self, height, strength: float, distance: float) -> None:
        node = self.node("ShaderNodeBump")
        self.put(node.inputs["Strength"], strength)
        self.put(node.inputs["Distance"], distance)
        self.put(node.inputs["Height"], height)
        self.put(self.surface.inputs["Normal"], node.outputs[0])

    def scatter(self, weight: float, scale: float, radius: Colour = (1.0, 0.36, 0.2)) -> None:
        self.set(Subsurface_Weight=weight, Subsurface_Scale=scale)
        self.surface.inputs["Subsurface Radius"].default_value = radius


def _skin(g: Graph) -> None:
    colour = g.mix(g.ramp(g.noise(55, 4), 0.3, 0.7), (0.600, 0.362, 0.270), (0.672, 0.440, 0.342))
    colour = g.mix(g.math("MULTIPLY", g.ramp(g.noise(300, 4), 0.42, 0.75), 0.30), colour, (0.555, 0.285, 0.210))
    freckles = g.math("MULTIPLY", g.ramp(g.noise(900, 2), 0.62, 0.74), 0.16)
    colour = g.mix(freckles, colour, (0.40, 0.20, 0.13))
    colour = g.mix(g.scaled("redness", 0.42), colour, (0.58, 0.21, 0.155))
    colour = g.mix(g.scaled("under_eye", 0.34), colour, (0.40, 0.22, 0.20))
    colour = g.mix(g.scaled("lid_skin", 0.28), colour, (0.48, 0.25, 0.19))
    colour = g.mix(g.scaled("lid_rim", 0.25), colour, (0.52, 0.22, 0.19))
    colour = g.mix(g.scaled("brow_shadow", 0.62), colour, (0.085, 0.045, 0.028))
    lips = g.mix(g.noise(400, 3), (0.45, 0.135, 0.12), (0.54, 0.205, 0.175))
    colour = g.mix(g.scaled("lips", 0.82), colour, lips)
    colour = g.mix(g.scaled("scalp", 0.92), colour, (0.030, 0.017, 0.011))
    colour = g.mix(g.scaled("mouth_bag", 0.9), colour, (0.22, 0.045, 0.042))
    colour = g.mix(g.factor("nostrils"), colour, (0.07, 0.018, 0.012))
    g.set(Base_Color=colour, Specular_IOR_Level=0.42)
    g.scatter(0.22, 0.0035)
    rough = g.math("ADD", g.math("MULTIPLY", g.noise(600, 2), 0.20), 0.39)
    rough = g.math("SUBTRACT", rough, g.scaled("lips", 0.13))
    g.set(Roughness=g.math("ADD", rough, g.scaled("scalp", 0.4)))
    pores = g.node("ShaderNodeTexVoronoi")
    g.put(pores.inputs["Scale"], 1100.0)
    g.put(pores.inputs["Vector"], g.rest())
    height = g.math("ADD", g.math("MULTIPLY", pores.outputs["Distance"], 0.5), g.math("MULTIPLY", g.noise(400, 5), 0.9))
    g.bump(height, 0.20, 0.0004)


def _eye(g: Graph) -> None:
    split = g.node("ShaderNodeSeparateXYZ")
    g.put(split.inputs[0], g.vector(EYE))
    x, y, z = split.outputs
    radius = g.math("SQRT", g.math("ADD", g.math("MULTIPLY", x, x), g.math("MULTIPLY", y, y)))
    behind = g.math("LESS_THAN", z, 0.0)
    radius = g.math("ADD", radius, g.math("MULTIPLY", behind, 2.0))
    angle = g.math("ARCTAN2", x, y)
    polar = g.node("ShaderNodeCombineXYZ")
    g.put(polar.inputs[0], g.math("MULTIPLY", g.math("SINE", angle), 6.0))
    g.put(polar.inputs[1], g.math("MULTIPLY", g.math("COSINE", angle), 6.0))
    g.put(polar.inputs[2], radius)
    fibres = g.noise(2.2, 4, polar.outputs[0])
    iris = g.mix(fibres, (0.030, 0.016, 0.009), (0.115, 0.060, 0.028))
    iris = g.mix(g.ramp(radius, 0.18, 0.46), g.mix(fibres, (0.080, 0.042, 0.019), (0.155, 0.085, 0.038)), iris)
    iris = g.mix(g.ramp(radius, 0.42, 0.51), iris, (0.020, 0.012, 0.008))
    iris = g.mix(g.ramp(radius, 0.175, 0.205), (0.002, 0.002, 0.002), iris)
    white = g.mix(g.noise(150, 5), (0.78, 0.73, 0.70), (0.70, 0.62, 0.58))
    white = g.mix(g.ramp(radius, 0.66, 1.0), white, (0.64, 0.45, 0.41))
    colour = g.mix(g.ramp(radius, 0.475, 0.53), iris, white)
    g.set(Base_Color=colour, Roughness=0.25, Coat_Weight=1.0, Coat_Roughness=0.02)


def _teeth(g: Graph) -> None:
    g.set(Base_Color=(0.72, 0.65, 0.53), Roughness=0.22)
    g.scatter(0.15, 0.001)


def _gums(g: Graph) -> None:
    g.set(Base_Color=(0.46, 0.14, 0.13), Roughness=0.28)
    g.scatter(0.2, 0.002)


def _tongue(g: Graph) -> None:
    g.set(Base_Color=(0.46, 0.14, 0.125), Roughness=0.40)
    g.scatter(0.2, 0.003)
    g.bump(g.noise(900, 3), 0.3, 0.0005)


def _cloth(g: Graph) -> None:
    g.set(Base_Color=(0.045, 0.070, 0.110), Roughness=0.85, Sheen_Weight=0.3)
    g.bump(g.noise(600, 4), 0.4, 0.001)


def _hair(g: Graph) -> None:
    colour = g.mix(g.node("ShaderNodeHairInfo").outputs["Random"], (0.018, 0.009, 0.005), (0.075, 0.036, 0.018))
    g.set(Base_Color=colour, Roughness=0.42, Specular_IOR_Level=0.45)


def _brow(g: Graph) -> None:
    g.set(Base_Color=(0.045, 0.024, 0.015), Roughness=0.6, Specular_IOR_Level=0.15)


def _lash(g: Graph) -> None:
    g.set(Base_Color=(0.010, 0.007, 0.005), Roughness=0.5, Specular_IOR_Level=0.3)


# The builder of each material and its colour in Solid view.
_MATERIALS = {
    "skin": (_skin, (0.80, 0.62, 0.54)),
    "eye": (_eye, (0.85, 0.83, 0.80)),
    "teeth": (_teeth, (0.85, 0.82, 0.74)),
    "gums": (_gums, (0.66, 0.36, 0.34)),
    "tongue": (_tongue, (0.68, 0.38, 0.36)),
    "cloth": (_cloth, (0.20, 0.25, 0.32)),
    "hair": (_hair, (0.10, 0.07, 0.05)),
    "brow": (_brow, (0.16, 0.11, 0.08)),
    "lash": (_lash, (0.05, 0.04, 0.03)),
}


def material(kind: str) -> bpy.types.Material:
    """The project's material of this kind: skin, eye, teeth, gums, tongue, cloth, hair, brow, lash; one a file."""
    name = f"ERLNet {kind}"
    found = bpy.data.materials.get(name)
    if found is not None:
        return found
    build, solid = _MATERIALS[kind]
    made = bpy.data.materials.new(name)
    build(Graph(made))
    made.diffuse_color = (*solid, 1.0)
    return made
