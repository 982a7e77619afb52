// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "websync-token-route.js" beside your server, and add this route after app.use(auth(config)):
//   app.get("/websync/token", require("./websync-token-route"));
// It gives the visitor's own pages the visitor's own token.
module.exports = (req, res) => {
  const token = req.oidc.idToken ?? null;
  res.set("cache-control", "no-store").json({ token });
};
