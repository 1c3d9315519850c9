"""Pictures of a cloud and nothing else: no gradients, no records, half the time and a tenth of the memory traffic.

`cloud.DrawnCloud` is made once of a cloud, `renderer.Renderer` then draws it for one camera after the other. What is
drawn is what the backends of `generators.radiance.rasterizer` draw, to within a grey level or so; they are its oracle.
"""
